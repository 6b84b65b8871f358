from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies import repository as agency_store
from identity_service.agencies.problems import AgenciesUnknown
from identity_service.agencies.use_cases import require_open
from identity_service.clients import repository as client_store
from identity_service.clients.jwk import thumbprint
from identity_service.clients.models import Client, ClientKey, Proposal
from identity_service.clients.problems import ClientExists, ClientNotFound, KeyExists, KeyNotFound
from identity_service.clients.schemas import ClientIn
from identity_service.clients.use_cases.approvals import (
    Consent,
    find_missing_approval,
    require_authority,
)
from identity_service.clients.use_cases.client_proofs import ClientAct
from identity_service.clients.use_cases.operators import require_operator, require_operator_left
from identity_service.grants import repository as grant_store
from identity_service.grants.models import Grant
from identity_service.grants.use_cases.ending import end_grants, list_ending
from shared.messaging.outbox import emit
from shared.web.calls.auth import CallContext
from shared.web.etag import Condition, require_version


class Deactivation(NamedTuple):
    """A client without access, and the grants to others that ended with it."""

    client: Client
    ended: Sequence[Grant]


async def read_client(session: AsyncSession, caller: CallContext, client_id: str) -> Client:
    client = await client_store.get_client(session, client_id, caller.right.united_agencies)
    if client is None:
        raise ClientNotFound
    return client


async def register_client(
    session: AsyncSession, caller: CallContext, new: ClientIn, *, today: date
) -> Client:
    """Without a right and a key yet: it can do nothing until it is given both."""
    if new.operator:
        await require_operator(session, caller)
    agency = await agency_store.get_agency(session, new.agency, caller.right.united_agencies)
    if agency is None:
        raise AgenciesUnknown([new.agency])
    require_open(agency, today)
    client = await client_store.add_client(session, version=1, active=True, **new.model_dump())
    if client is None:
        raise ClientExists
    emit(session, client.changed())
    return client


async def register_key(
    session: AsyncSession, consent: Consent, client_id: str, jwk: Mapping[str, str]
) -> ClientKey | Proposal:
    """Return the key, or the proposal that waits for a second operator to ask for the same."""
    client = await _lock_client(session, consent, client_id)
    act = ClientAct.ADD_KEY
    await require_authority(session, consent, client, act=act, thumbprint=thumbprint(jwk))
    if await client_store.find_client_key(session, client.client_id, jwk["kid"]):
        raise KeyExists("Keys are not replaced: register the new one under a kid of its own.")
    about = sha256(orjson.dumps(dict(jwk), option=orjson.OPT_SORT_KEYS)).hexdigest()
    if proposal := await find_missing_approval(session, consent, client_id, act=act, about=about):
        return proposal
    key = await client_store.add_client_key(
        session,
        client_id=client.client_id,
        kid=jwk["kid"],
        jwk=dict(jwk),
        added_at=consent.now,
    )
    assert key, "the lock lets nobody add it meanwhile"
    return key


async def remove_key(
    session: AsyncSession, consent: Consent, client_id: str, kid: str
) -> Proposal | None:
    """At once: what it signed is no longer taken; tokens already given end within minutes."""
    client = await _lock_client(session, consent, client_id)
    key = await client_store.find_client_key(session, client.client_id, kid)
    act, named = ClientAct.REMOVE_KEY, thumbprint(key.jwk) if key else None
    await require_authority(session, consent, client, act=act, thumbprint=named)
    if key is None:
        raise KeyNotFound
    if proposal := await find_missing_approval(session, consent, client_id, act=act, about=kid):
        return proposal
    if client.operator:
        await require_operator_left(session, without=key)
    await session.delete(key)
    return None


async def deactivate_client(
    session: AsyncSession, consent: Consent, client_id: str, *, expected_version: Condition
) -> Deactivation | Proposal:
    """End the access of the client, and the grants that it gave to others.

    It gets no token any more; the gateway refuses those it has when it has consumed the event. Its
    own grants stay for a reactivation.
    """
    client = await _lock_client(session, consent, client_id)
    act = ClientAct.DEACTIVATE
    await require_authority(session, consent, client, act=act)
    require_version(client.version, expected_version)
    if not client.active:
        return Deactivation(client, ())
    if client.operator:
        await require_operator_left(session, without=client)
    if proposal := await find_missing_approval(session, consent, client_id, act=act, about=""):
        return proposal
    client.set_active(active=False)
    emit(session, client.changed())
    given = await grant_store.list_given(session, client.client_id)
    ending = await list_ending(session, given)
    await end_grants(session, consent.caller, ending, now=consent.now)
    return Deactivation(client, ending)


async def reactivate_client(
    session: AsyncSession, caller: CallContext, client_id: str, *, expected_version: Condition
) -> Client:
    """Undo a deactivation: the client signs on with the keys, and has the rights, of before."""
    client = await read_client(session, caller, client_id)
    await require_operator(session, caller)
    require_version(client.version, expected_version)
    if not client.active:
        client.set_active(active=True)
        emit(session, client.changed())
    return client


async def _lock_client(session: AsyncSession, consent: Consent, client_id: str) -> Client:
    await client_store.lock_client_acts(session)
    return await read_client(session, consent.caller, client_id)
