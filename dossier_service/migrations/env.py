import dossier_service.agencies.models
import dossier_service.catalogue.models
import dossier_service.dossiers.models  # noqa: F401 -- their tables
from dossier_service.database import Base
from shared.runtime.migrations import run_migrations

run_migrations(Base.metadata)
