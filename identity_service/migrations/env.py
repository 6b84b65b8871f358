from identity_service.models import Base
from shared.migrations import migrate

migrate(Base.metadata)
