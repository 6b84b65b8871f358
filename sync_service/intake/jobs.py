import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.intake import repository

log = structlog.get_logger()

HELD_DAYS = 30


async def forget_held(session: AsyncSession) -> None:
    """Delete progress rows whose dossier was not pushed within `HELD_DAYS`."""
    if dropped := await repository.drop_held(session, HELD_DAYS):
        log.warning("held_progress_dropped", rows=dropped, days=HELD_DAYS)
