from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Row, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies.statements import select_closed
from sync_service.completeness.models import AgencyRhythm, PushHour

# The first push of an hour recomputes the rhythm, from the hours of this agency alone.
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


async def add_hour(
    session: AsyncSession, agency: str, hour: datetime, *, rhythm: timedelta
) -> None:
    await session.execute(_NOTE, {"agency": agency, "hour": hour, "kept": rhythm})


async def list_rhythms(
    session: AsyncSession, today: date
) -> Sequence[Row[str, datetime, timedelta | None]]:
    """Return agency, last hour and longest pause of each agency that has pushed."""
    rhythm = AgencyRhythm
    # An agency that was dissolved or merged pushes no more, and is not silent.
    closed = select_closed(today).subquery()
    is_closed = select(closed.c.code).where(closed.c.code == rhythm.agency).exists()
    query = select(rhythm.agency, rhythm.last_hour, rhythm.longest_pause).where(~is_closed)
    return (await session.execute(query)).all()


async def delete_hours(session: AsyncSession, before: datetime) -> None:
    await session.execute(delete(PushHour).where(PushHour.hour < before))
