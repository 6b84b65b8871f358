from gateway.models import Base
from shared.migrations import migrate

migrate(Base.metadata)
