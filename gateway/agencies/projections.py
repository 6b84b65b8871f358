"""Apply the events of agencies; ignore older versions."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.agencies.models import KnownAgency
from gateway.database import upsert_newer_rows
from shared.events import AgencyChanged


async def upsert_changed_agencies(session: AsyncSession, events: Sequence[AgencyChanged]) -> None:
    await upsert_newer_rows(session, KnownAgency, "code", [event.model_dump() for event in events])
