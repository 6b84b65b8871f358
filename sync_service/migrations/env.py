from shared.runtime.migrations import migrate
from sync_service.models import Base

migrate(Base.metadata)
