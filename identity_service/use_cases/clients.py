from collections.abc import Mapping
from datetime import UTC, date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.models import Client, ClientKey
from identity_service.problems import (
    AgenciesUnknown,
    AgencyClosed,
    ClientExists,
    ClientNotFound,
    KeyExists,
    KeyNotFound,
)
from identity_service.schemas import ClientIn
from identity_service.use_cases.operators import require_operator
from shared.auth import CallContext
from shared.outbox import emit
from shared.preconditions import require_version


async def read_client(session: AsyncSession, caller: CallContext, client_id: str) -> Client:
    client = await store.get_client(session, client_id, caller.right.agencies)
    if client is None:
        raise ClientNotFound
    return client


async def register_client(
    session: AsyncSession, caller: CallContext, new: ClientIn, *, today: date
) -> Client:
    """Without a right and a key yet: it can do nothing until it is given both."""
    if new.operator:
        await require_operator(session, caller)
    agency = await store.get_agency(session, new.agency, caller.right.agencies)
    if agency is None:
        raise AgenciesUnknown([new.agency])
    if not agency.existed_on(today):
        raise AgencyClosed(agency.code, agency.successor)
    client = await store.add_client(session, version=1, active=True, **new.model_dump())
    if client is None:
        raise ClientExists
    emit(session, client.changed())
    return client


async def register_key(
    session: AsyncSession, caller: CallContext, client_id: str, jwk: Mapping[str, str]
) -> ClientKey:
    client = await _client_to_change(session, caller, client_id)
    key = await store.add_client_key(
        session,
        client_id=client.client_id,
        kid=jwk["kid"],
        jwk=dict(jwk),
        added_at=datetime.now(UTC),
    )
    if key is None:
        raise KeyExists("Keys are not replaced: register the new one under a kid of its own.")
    return key


async def remove_key(session: AsyncSession, caller: CallContext, client_id: str, kid: str) -> None:
    """At once: what it signed is no longer taken; tokens already given end within minutes."""
    client = await _client_to_change(session, caller, client_id)
    key = await store.get_client_key(session, client.client_id, kid)
    if key is None:
        raise KeyNotFound
    await session.delete(key)


async def deactivate_client(
    session: AsyncSession, caller: CallContext, client_id: str, *, expected_version: int
) -> Client:
    """It gets no token any more; the gateway refuses those it has as soon as it hears of it."""
    client = await _client_to_change(session, caller, client_id)
    require_version(client.version, expected_version)
    if client.active:
        client.deactivate()
        emit(session, client.changed())
    return client


async def _client_to_change(session: AsyncSession, caller: CallContext, client_id: str) -> Client:
    client = await read_client(session, caller, client_id)
    if client.operator:
        await require_operator(session, caller)
    return client
