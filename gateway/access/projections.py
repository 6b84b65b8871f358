"""Apply the events of clients and grants; ignore older versions."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.access.models import ClientInForce, GrantInForce
from shared.database.bulk import upsert_if_newer
from shared.events import ClientChanged, GrantChanged


async def upsert_changed_grants(session: AsyncSession, events: Sequence[GrantChanged]) -> None:
    await upsert_if_newer(
        session, GrantInForce, "grant_id", [event.model_dump() for event in events]
    )


async def upsert_changed_clients(session: AsyncSession, events: Sequence[ClientChanged]) -> None:
    await upsert_if_newer(
        session, ClientInForce, "client_id", [event.model_dump() for event in events]
    )
