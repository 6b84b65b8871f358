# Each import adds the tables of a feature to the metadata of `Base`.
import identity_service.agencies.models
import identity_service.clients.models
import identity_service.grants.models
import identity_service.persons.models
import identity_service.sandbox.models
import identity_service.tokens.models  # noqa: F401
from identity_service.database import Base
from shared.runtime.migrations import run_migrations

run_migrations(Base.metadata)
