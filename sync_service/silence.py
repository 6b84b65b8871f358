"""Which agencies' systems push no more: an agency is held against its own rhythm.

Two ministries once synced nothing for a quarter, and nobody was told: what never arrived is in no
log. An agency's rhythm is its longest pause of the last 28 days, so that nights, weekends and
holidays that it always keeps are no silence.
"""

from datetime import datetime, timedelta

from prometheus_client import Gauge
from sqlalchemy import and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.models import Agency, HeardHour

KEPT = timedelta(days=28)
# What an agency is allowed beyond its longest pause, and one that has shown no rhythm yet.
SLACK, AT_FIRST = 1.5, timedelta(days=1)

AGENCY_SILENT = Gauge(
    "agency_silent_seconds", "Since an agency that is past its rhythm last pushed", ["agency"]
)


async def note_heard(session: AsyncSession, agency: str, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    await session.execute(
        insert(HeardHour).values(agency=agency, hour=hour).on_conflict_do_nothing()
    )


async def silent_agencies(session: AsyncSession, now: datetime) -> dict[str, timedelta]:
    """How long each agency beyond its rhythm has been silent."""
    following = func.lead(HeardHour.hour).over(
        partition_by=HeardHour.agency, order_by=HeardHour.hour
    )
    # Who was dissolved or merged has nothing more to say.
    gone = select(Agency.code).where(Agency.code == HeardHour.agency, Agency.valid_to < now.date())
    hours = (
        select(HeardHour.agency, HeardHour.hour, following.label("following"))
        .where(~gone.exists())
        .subquery()
    )
    longest = func.max(hours.c.following - hours.c.hour)
    query = select(hours.c.agency, func.max(hours.c.hour), longest).group_by(hours.c.agency)
    pauses = {agency: (now - last, known) for agency, last, known in await session.execute(query)}
    return {agency: pause for agency, (pause, known) in pauses.items() if is_silent(pause, known)}


def is_silent(pause: timedelta, longest: timedelta | None) -> bool:
    return pause > max((longest or AT_FIRST) * SLACK, timedelta(hours=2))


async def measure(session: AsyncSession, now: datetime) -> None:
    silent = await silent_agencies(session, now)
    AGENCY_SILENT.clear()
    for agency, pause in silent.items():
        AGENCY_SILENT.labels(agency).set(pause.total_seconds())


async def forget(session: AsyncSession, now: datetime) -> None:
    """What is older than the rhythm looks back, but for the last hour of each agency."""
    later = HeardHour.__table__.alias()
    there_is_later = (
        select(1)
        .where(and_(later.c.agency == HeardHour.agency, later.c.hour > HeardHour.hour))
        .exists()
    )
    await session.execute(delete(HeardHour).where(HeardHour.hour < now - KEPT, there_is_later))
