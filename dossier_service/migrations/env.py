from dossier_service.models import Base
from shared.runtime.migrations import migrate

migrate(Base.metadata)
