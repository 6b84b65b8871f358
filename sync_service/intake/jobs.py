import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.intake import repository

log = structlog.get_logger()

HELD_DAYS = 30


async def forget_held(session: AsyncSession) -> None:
    """Progress whose dossier never came: its sender was told that it is held, not taken."""
    if dropped := await repository.drop_held(session, HELD_DAYS):
        log.warning("held_progress_dropped", rows=dropped, days=HELD_DAYS)
