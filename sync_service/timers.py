from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.runtime.timers import Timer
from sync_service.completeness import jobs as completeness
from sync_service.indicators.use_cases import count_changes
from sync_service.intake.jobs import forget_held
from sync_service.national_view.jobs import BATCH_SIZE, find_missing_terms


async def measure_silence(session: AsyncSession) -> None:
    await completeness.measure_silence(session, datetime.now(UTC))


async def forget_heard(session: AsyncSession) -> None:
    await completeness.delete_expired_hours(session, datetime.now(UTC))


async def judge_by_terms(session: AsyncSession) -> bool:
    """Set the terms of a batch of dossiers that were pushed before their procedure was published.

    Return whether the batch was full.
    """
    return await find_missing_terms(session, observers=(count_changes,)) == BATCH_SIZE


TIMERS = (
    Timer(10, judge_by_terms),
    Timer(3_600, forget_held),
    Timer(60, measure_silence, once_anywhere=False),
    Timer(3_600, forget_heard),
)
