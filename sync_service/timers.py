from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.runtime.timers import Timer
from sync_service.completeness import jobs as completeness
from sync_service.indicators.use_cases import count_changes
from sync_service.intake.jobs import delete_expired_progress
from sync_service.national_view import jobs as national_view


async def measure_silence(session: AsyncSession) -> None:
    await completeness.measure_silence(session, datetime.now(UTC))


async def delete_expired_hours(session: AsyncSession) -> None:
    await completeness.delete_expired_hours(session, datetime.now(UTC))


async def set_missing_terms(session: AsyncSession) -> bool:
    """Set the terms of a batch of dossiers that were pushed before their procedure was published.

    Return whether the batch was full.
    """
    count = await national_view.set_missing_terms(session, observers=(count_changes,))
    return count == national_view.BATCH_SIZE


TIMERS = (
    Timer(10, set_missing_terms),
    Timer(3_600, delete_expired_progress),
    Timer(60, measure_silence, once_anywhere=False),
    Timer(3_600, delete_expired_hours),
)
