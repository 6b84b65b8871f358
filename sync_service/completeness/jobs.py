from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.completeness import repository
from sync_service.completeness.silent_agencies import RETENTION_RHYTHM
from sync_service.completeness.use_cases import list_silent_agencies

AGENCY_SILENT = Gauge(
    "agency_silent_seconds",
    "Seconds since the last push of an agency that is past its rhythm",
    ["agency"],
)


async def measure_silence(session: AsyncSession, *, now: datetime) -> None:
    silent = await list_silent_agencies(session, now)
    AGENCY_SILENT.clear()
    for agency, pause in silent.items():
        AGENCY_SILENT.labels(agency).set(pause.total_seconds())


async def delete_expired_hours(session: AsyncSession, *, now: datetime) -> None:
    """Delete the hours that are too old to count for any rhythm."""
    await repository.delete_hours(session, now - RETENTION_RHYTHM)
