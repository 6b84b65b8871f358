"""Apply the events of agencies; ignore older versions."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.agencies.models import KnownAgency
from shared.codes.coverage import make_version_columns
from shared.database.bulk import upsert_if_newer
from shared.events import AgencyChanged


async def upsert_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    rows = [
        event.model_dump() | make_version_columns(event.code, event.version) for event in events
    ]
    await upsert_if_newer(session, KnownAgency, "code", rows)
