import gateway.access.models
import gateway.agencies.models
import gateway.ledger.models
import gateway.purposes.models  # noqa: F401 -- their tables
from gateway.database import Base
from shared.runtime.migrations import run_migrations

run_migrations(Base.metadata)
