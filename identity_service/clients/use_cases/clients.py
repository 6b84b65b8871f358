from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.use_cases import PendingAct, require_open_agencies
from identity_service.clients import repository
from identity_service.clients.models import Client, ClientKey
from identity_service.clients.problems import (
    ClientExists,
    ClientNotFound,
    ClientUnknown,
    KeyExists,
    KeyNotFound,
)
from identity_service.clients.schemas import ClientFilter, ClientIn
from identity_service.clients.use_cases.approvals import (
    Consent,
    find_missing_approval,
    require_authority,
)
from identity_service.clients.use_cases.client_grants import GivenGrants
from identity_service.clients.use_cases.client_proofs import ClientAct
from identity_service.clients.use_cases.operators import (
    lock_client_acts,
    require_operator,
    require_operator_left,
)
from identity_service.database import Within
from identity_service.schemas import ClientId
from shared.crypto.thumbprint import compute_thumbprint
from shared.events import ClientChanged
from shared.messaging.outbox import publish_events
from shared.texts.translatable import Translatable
from shared.web.calls.auth import CallContext
from shared.web.etag import Precondition, require_version
from shared.web.pagination import PageParameters


class Deactivation(NamedTuple):
    """Hold a deactivated client and the ids of the grants to others that ended with it."""

    client: Client
    ended: Sequence[UUID]


async def list_clients(
    session: AsyncSession, caller: CallContext, filters: ClientFilter, page: PageParameters
) -> tuple[Sequence[Client], str | None]:
    """Return a page of clients, and the cursor of the next one."""
    keyset = filters.read_keyset(page)
    after = keyset.key(ClientId)
    rows = await repository.list_clients(
        session,
        caller.right.united_agencies,
        after=after[0] if after else None,
        limit=keyset.limit + 1,
        agency=filters.agency,
        kind=filters.kind,
        operator=filters.operator,
        active=filters.active,
    )
    return keyset.cut(rows, lambda client: (client.client_id,))


async def list_client_states(
    session: AsyncSession, *, after: str | None, limit: int, now: datetime
) -> Sequence[ClientChanged]:
    """Return the present state of all clients by id, in the form of events."""
    clients = await repository.list_all_clients(session, after=after, limit=limit)
    return [client.build_event(now) for client in clients]


async def read_client(session: AsyncSession, caller: CallContext, client_id: str) -> Client:
    client = await repository.find_client(session, client_id, caller.right.united_agencies)
    if client is None:
        raise ClientNotFound
    return client


async def require_active_client(session: AsyncSession, caller: CallContext, client_id: str) -> None:
    """Raise ClientUnknown unless the caller's right reaches the client, and it is active."""
    client = await repository.find_client(session, client_id, caller.right.united_agencies)
    if client is None or not client.active:
        raise ClientUnknown(client_id=client_id)


async def find_client_agency(session: AsyncSession, client_id: str) -> str | None:
    """Return the code of the client's agency, None where there is no such client."""
    client = await repository.find_bare_client(session, client_id)
    return client.agency if client else None


def select_clients_within(within: Within) -> Select[str]:
    """Return the subquery of the ids of all clients of the agencies."""
    return repository.select_client_ids(within)


async def register_client(
    session: AsyncSession,
    caller: CallContext,
    registration: ClientIn,
    *,
    now: datetime,
    today: date,
) -> Client:
    """Register a client, which can do nothing until it has a key and a grant."""
    if registration.operator:
        await require_operator(session, caller)
    await require_open_agencies(session, [registration.agency], caller.right.united_agencies, today)
    client = await repository.add_client(
        session, version=1, active=True, **registration.model_dump()
    )
    if client is None:
        raise ClientExists
    publish_events(session, client.build_event(now))
    return client


async def register_key(
    session: AsyncSession, consent: Consent, client_id: str, jwk: Mapping[str, str]
) -> ClientKey | PendingAct:
    """Return the new key, or the act that waits for a second operator."""
    client = await _lock_client(session, consent, client_id)
    act = ClientAct.ADD_KEY
    await require_authority(session, consent, client, act=act, thumbprint=compute_thumbprint(jwk))
    if await repository.find_client_key(session, client.client_id, jwk["kid"]):
        raise KeyExists(
            Translatable("Keys are not replaced: register the new one under another kid.")
        )
    about = sha256(orjson.dumps(dict(jwk), option=orjson.OPT_SORT_KEYS)).hexdigest()
    if pending := await find_missing_approval(session, consent, client_id, act=act, about=about):
        return pending
    key = await repository.add_client_key(
        session,
        client_id=client.client_id,
        kid=jwk["kid"],
        jwk=dict(jwk),
        added_at=consent.now,
    )
    assert key, "the lock excludes concurrent additions"
    return key


async def remove_key(
    session: AsyncSession, consent: Consent, client_id: str, kid: str, *, grants: GivenGrants
) -> PendingAct | None:
    """Remove a key at once; tokens that were issued by it expire within minutes.

    Return the act that waits for a second operator, None where the key is removed.
    """
    client = await _lock_client(session, consent, client_id)
    key = await repository.find_client_key(session, client.client_id, kid)
    act, named = ClientAct.REMOVE_KEY, compute_thumbprint(key.jwk) if key else None
    await require_authority(session, consent, client, act=act, thumbprint=named)
    if key is None:
        raise KeyNotFound
    if pending := await find_missing_approval(session, consent, client_id, act=act, about=kid):
        return pending
    if client.operator:
        await require_operator_left(session, grants, without=key)
    await session.delete(key)
    return None


async def deactivate_client(
    session: AsyncSession,
    consent: Consent,
    client_id: str,
    *,
    grants: GivenGrants,
    expected_version: Precondition,
) -> Deactivation | PendingAct:
    """End the access of the client, and the grants that it gave to others.

    The client gets no new tokens; the gateway refuses existing ones after it has consumed the
    event. The client's own grants stay for a reactivation.
    """
    client = await _lock_client(session, consent, client_id)
    act = ClientAct.DEACTIVATE
    await require_authority(session, consent, client, act=act)
    require_version(client.version, expected_version)
    if not client.active:
        return Deactivation(client, ())
    if client.operator:
        await require_operator_left(session, grants, without=client)
    if pending := await find_missing_approval(session, consent, client_id, act=act):
        return pending
    client.set_active(active=False)
    publish_events(session, client.build_event(consent.now))
    ended = await grants.end_given_grants(
        session, consent.caller, client.client_id, now=consent.now
    )
    return Deactivation(client, ended)


async def reactivate_client(
    session: AsyncSession,
    caller: CallContext,
    client_id: str,
    *,
    expected_version: Precondition,
    now: datetime,
) -> Client:
    """Undo a deactivation: the client has its former keys and grants again."""
    client = await read_client(session, caller, client_id)
    await require_operator(session, caller)
    require_version(client.version, expected_version)
    if not client.active:
        client.set_active(active=True)
        publish_events(session, client.build_event(now))
    return client


async def _lock_client(session: AsyncSession, consent: Consent, client_id: str) -> Client:
    await lock_client_acts(session)
    return await read_client(session, consent.caller, client_id)
