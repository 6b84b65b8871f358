from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.models import Grant
from identity_service.ownership import owner
from identity_service.problems import (
    AgenciesUnknown,
    ClientUnknown,
    GrantEnded,
    GrantNotFound,
    GrantRevoked,
    NotTheOwner,
)
from identity_service.schemas import GrantIn
from identity_service.use_cases.limits import (
    require_agencies_covered,
    require_fields_covered,
    require_procedures_covered,
)
from identity_service.use_cases.operators import is_operator
from shared.auth import CallContext
from shared.outbox import emit
from shared.preconditions import require_version


async def read_grant(session: AsyncSession, caller: CallContext, grant_id: UUID) -> Grant:
    grant = await store.get_grant(session, grant_id, caller.right.agencies)
    if grant is None:
        raise GrantNotFound
    return grant


async def give_grant(session: AsyncSession, caller: CallContext, new: GrantIn) -> Grant:
    await _require_owner(session, caller, new.operations)
    require_agencies_covered(caller, new.agencies)
    require_procedures_covered(caller, new.procedures)
    require_fields_covered(caller, new.fields)
    client = await store.get_client(session, new.client_id, caller.right.agencies)
    if client is None or not client.active:
        raise ClientUnknown(client_id=new.client_id)
    known = await store.get_agencies(session, new.agencies or (), caller.right.agencies)
    if unknown := set(new.agencies or ()) - known.keys():
        raise AgenciesUnknown(unknown)
    now = datetime.now(UTC)
    valid_from = new.valid_from or now
    if new.valid_to and new.valid_to <= valid_from:
        raise GrantEnded("Let valid_to lie after valid_from, or after now where that is left out.")
    grant = Grant(
        id=uuid4(),
        version=1,
        given_by=caller.client,
        given_by_officer=caller.officer,
        given_at=now,
        **new.model_dump() | {"valid_from": valid_from},
    )
    session.add(grant)
    emit(session, grant.changed())
    return grant


async def revoke_grant(
    session: AsyncSession, caller: CallContext, grant_id: UUID, *, expected_version: int
) -> Grant:
    grant = await read_grant(session, caller, grant_id)
    await _require_owner(session, caller, grant.operations)
    require_version(grant.version, expected_version)
    if grant.revoked:
        raise GrantRevoked
    grant.revoke(by=caller.client, officer=caller.officer, at=datetime.now(UTC))
    emit(session, grant.changed())
    return grant


async def _require_owner(
    session: AsyncSession, caller: CallContext, operations: Collection[str]
) -> None:
    foreign = [name for name in operations if owner(name) != caller.agency]
    if foreign and not await is_operator(session, caller):
        raise NotTheOwner("Ask the owner of these operations' data.", operations=foreign)
