import structlog

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.use_cases import (
    announce_procedures_once,
    publish_first_procedures,
    read_catalogue_file,
)
from dossier_service.settings import Settings
from shared.codes.time import utc_now
from shared.database.engine import open_database

log = structlog.get_logger()


async def seed(settings: Settings) -> None:
    """Publish the own procedures, and those of the configured file."""
    path = settings.published_procedures
    published = read_catalogue_file(path) if path else None
    async with open_database(settings) as sessions, sessions.begin() as session:
        now = utc_now()
        if announced := await announce_procedures_once(session, now=now):
            log.info("catalogue_announced", procedures=announced)
        outcome = await publish_first_procedures(session, read_own_procedures(), published, now=now)
    if outcome is not None:
        log.info("catalogue_seeded", new=outcome.new, changed=outcome.changed)
