from shared.runtime.migrations import run_migrations
from sync_service.agencies import models as agencies
from sync_service.completeness import models as completeness
from sync_service.database import Base
from sync_service.indicators import models as indicators
from sync_service.intake import models as intake
from sync_service.national_view import models as national_view

# A table is known to Base once its module is imported.
TABLES = (agencies, completeness, indicators, intake, national_view)

run_migrations(Base.metadata)
