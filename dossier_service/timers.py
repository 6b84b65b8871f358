from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.use_cases.recalculation import recalculate_due_dates
from shared.worker import Timer


async def recalculate(session: AsyncSession) -> None:
    """Move provisional due dates after a calendar was announced, some at each run."""
    await recalculate_due_dates(session, now=datetime.now(UTC))


TIMERS = (Timer(30, recalculate),)
