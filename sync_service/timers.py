from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.runtime.worker import Timer
from sync_service.completeness import silent_agencies as silence
from sync_service.national_view.jobs import BATCH_SIZE, find_missing_terms
from sync_service.national_view.repository import listings as store

log = structlog.get_logger()

HELD_DAYS = 30


async def forget_held(session: AsyncSession) -> None:
    """Progress whose dossier never came: its sender was told that it is held, not taken."""
    if dropped := await store.drop_held(session, HELD_DAYS):
        log.warning("held_progress_dropped", rows=dropped, days=HELD_DAYS)


async def measure_silence(session: AsyncSession) -> None:
    await silence.measure(session, datetime.now(UTC))


async def forget_heard(session: AsyncSession) -> None:
    await silence.forget(session, datetime.now(UTC))


async def judge_by_terms(session: AsyncSession) -> bool:
    """Judge a batch of dossiers that came before their procedure; return whether it was full."""
    return await find_missing_terms(session) == BATCH_SIZE


TIMERS = (
    Timer(10, judge_by_terms),
    Timer(3_600, forget_held),
    Timer(60, measure_silence, once_anywhere=False),
    Timer(3_600, forget_heard),
)
