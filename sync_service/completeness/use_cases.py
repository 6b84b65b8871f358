from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import day_in_viet_nam
from sync_service.completeness import repository
from sync_service.completeness.silent_agencies import RETENTION_RHYTHM, is_silent


async def record_push(session: AsyncSession, agency: str, now: datetime) -> None:
    """Record that the agency's system pushed in the hour of `now`."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    await repository.add_hour(session, agency, hour, rhythm=RETENTION_RHYTHM)


async def list_silent_agencies(session: AsyncSession, now: datetime) -> dict[str, timedelta]:
    """Return the pause of each agency that is past its rhythm; one row for each agency is read."""
    rows = await repository.list_rhythms(session, day_in_viet_nam(now))
    pauses = {agency: (now - last, known) for agency, last, known in rows}
    return {agency: pause for agency, (pause, known) in pauses.items() if is_silent(pause, known)}
