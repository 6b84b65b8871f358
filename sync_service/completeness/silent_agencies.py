"""Which agencies' systems push no more: an agency is held against its own rhythm.

Two ministries once synced nothing for a quarter, and nobody was told: what never arrived is in no
log. An agency's rhythm is its longest pause of the last 28 days, so that nights, weekends and
holidays that it always keeps are no silence.
"""

from datetime import datetime, timedelta

from prometheus_client import Gauge
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import day_in_viet_nam
from sync_service.agencies.models import Agency
from sync_service.completeness.models import AgencyRhythm, HeardHour

KEPT = timedelta(days=28)
# What an agency is allowed beyond its longest pause, and one that has shown no rhythm yet.
SLACK, AT_FIRST = 1.5, timedelta(days=1)

AGENCY_SILENT = Gauge(
    "agency_silent_seconds", "Since an agency that is past its rhythm last pushed", ["agency"]
)


# The rhythm is reckoned anew with the first push of an hour, from the hours of this agency alone.
_NOTE = text(
    """
    WITH new AS (
        INSERT INTO heard_hour (agency, hour) VALUES (:agency, :hour)
        ON CONFLICT DO NOTHING RETURNING agency, hour)
    INSERT INTO agency_rhythm (agency, last_hour, longest_pause)
    SELECT agency, max(hour), max(hour - before) FROM (
        SELECT agency, hour, lag(hour) OVER (ORDER BY hour) AS before FROM (
            SELECT agency, hour FROM new
            UNION
            SELECT heard.agency, heard.hour FROM new JOIN heard_hour AS heard
                ON heard.agency = new.agency AND heard.hour >= new.hour - CAST(:kept AS interval)
        ) AS hours) AS pauses
    GROUP BY agency
    ON CONFLICT (agency) DO UPDATE
        SET last_hour = excluded.last_hour, longest_pause = excluded.longest_pause
    """
)


async def note_heard(session: AsyncSession, agency: str, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    await session.execute(_NOTE, {"agency": agency, "hour": hour, "kept": KEPT})


async def silent_agencies(session: AsyncSession, now: datetime) -> dict[str, timedelta]:
    """How long each agency beyond its rhythm has been silent; one row for each agency is read."""
    rhythm = AgencyRhythm
    # An agency that was dissolved or merged has nothing more to say.
    today = day_in_viet_nam(now)
    closed = select(Agency.code).where(Agency.code == rhythm.agency, Agency.valid_to < today)
    query = select(rhythm.agency, rhythm.last_hour, rhythm.longest_pause).where(~closed.exists())
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
    """Delete the hours that no rhythm looks back to."""
    await session.execute(delete(HeardHour).where(HeardHour.hour < now - KEPT))
