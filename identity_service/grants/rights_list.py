"""All clients and grants, for the gateway alone, which compares them with those that it keeps."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from identity_service.clients import repository as client_store
from identity_service.grants import repository as grant_store
from shared.database.session import Session
from shared.events import ClientChanged, GrantChanged
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.service_calls import GatewayAlone
from shared.web.dependencies import Now

MAX_ROWS = 1_000

router = Router(prefix="/internal/rights", include_in_schema=False)
AfterClient = Annotated[str | None, Query(max_length=200)]


@router.get("/clients")
async def list_all_clients(
    _: GatewayAlone, session: Session, after: AfterClient = None
) -> list[ClientChanged]:
    """By their ids, at most `MAX_ROWS` after the given one."""
    clients = await client_store.list_all_clients(session, after=after, limit=MAX_ROWS)
    return [client.changed() for client in clients]


@router.get("/grants")
async def list_current_grants(
    _: GatewayAlone, session: Session, now: Now, after: UUID | None = None
) -> list[GrantChanged]:
    """Grants that give a right, will give one, or have lately ceased to, by their ids."""
    grants = await grant_store.list_current_grants(session, after=after, limit=MAX_ROWS, now=now)
    return [grant.changed() for grant in grants]
