import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.intake import repository

log = structlog.get_logger()

RETENTION_HELD_DAYS = 30


async def delete_expired_progress(session: AsyncSession) -> None:
    """Delete progress rows whose dossier was not pushed within `RETENTION_HELD_DAYS`."""
    if dropped := await repository.delete_expired_rows(session, RETENTION_HELD_DAYS):
        log.warning("held_progress_dropped", rows=dropped, days=RETENTION_HELD_DAYS)
