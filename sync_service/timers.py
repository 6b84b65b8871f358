from sqlalchemy.ext.asyncio import AsyncSession

from shared.runtime.timers import Timer, pass_now
from sync_service.completeness.jobs import delete_expired_hours, measure_silence
from sync_service.indicators.use_cases import count_changes
from sync_service.intake.jobs import delete_expired_progress
from sync_service.national_view import jobs as national_view


async def set_missing_terms(session: AsyncSession) -> bool:
    """Set the terms of a batch of dossiers that were pushed before their procedure was published.

    Return whether the batch was full.
    """
    count = await national_view.set_missing_terms(session, observers=(count_changes,))
    return count == national_view.BATCH_SIZE


TIMERS = (
    Timer(10, set_missing_terms),
    Timer(3_600, delete_expired_progress),
    Timer(60, pass_now(measure_silence), once_anywhere=False),
    Timer(3_600, pass_now(delete_expired_hours)),
)
