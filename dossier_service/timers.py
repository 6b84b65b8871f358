from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.dossiers.jobs import BATCH_SIZE, recalculate_due_dates
from shared.runtime.timers import Timer


async def recalculate(session: AsyncSession) -> bool:
    """Move a batch of provisional due dates after a calendar was announced.

    Return whether the batch was full.
    """
    return await recalculate_due_dates(session, now=datetime.now(UTC)) == BATCH_SIZE


TIMERS = (Timer(30, recalculate),)
