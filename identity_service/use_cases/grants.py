from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.grant_rules import ANY_OPERATION, grant_rule, grant_rules
from identity_service.models import Grant
from identity_service.ownership import owner
from identity_service.problems import (
    AgenciesUnknown,
    BeyondOwnRight,
    ClientUnknown,
    GrantEnded,
    GrantNotFound,
    GrantRevoked,
    GrantToSelf,
    NotTheOwner,
    OperationsUnknown,
    OperatorsOnly,
    named,
)
from identity_service.schemas import GrantIn
from identity_service.use_cases.limits import (
    covers_grant,
    require_agencies_covered,
    require_fields_covered,
    require_procedures_covered,
)
from identity_service.use_cases.operators import is_operator, require_operator_left
from shared.auth import CallContext
from shared.outbox import emit
from shared.preconditions import Condition, require_version


async def read_grant(session: AsyncSession, caller: CallContext, grant_id: UUID) -> Grant:
    grant = await store.get_grant(session, grant_id, caller.right.agencies)
    if grant is None:
        raise GrantNotFound
    return grant


async def give_grant(session: AsyncSession, caller: CallContext, new: GrantIn) -> Grant:
    if unknown := set(new.operations) - grant_rules().keys():
        raise OperationsUnknown(unknown)
    now = datetime.now(UTC)
    held = await store.list_grants_in_force(session, caller.client, now)
    await _require_granter(session, caller, new.operations, held)
    require_agencies_covered(caller, new.agencies)
    require_procedures_covered(caller, new.procedures)
    require_fields_covered(caller, new.fields)
    _require_within(held, new)
    _require_other(caller, new)
    client = await store.get_client(session, new.client_id, caller.right.agencies)
    if client is None or not client.active:
        raise ClientUnknown(client_id=new.client_id)
    known = await store.get_agencies(session, new.agencies or (), caller.right.agencies)
    if unknown := set(new.agencies or ()) - known.keys():
        raise AgenciesUnknown(unknown)
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
    session: AsyncSession, caller: CallContext, grant_id: UUID, *, expected_version: Condition
) -> Grant:
    await store.lock_client_acts(session)
    grant = await read_grant(session, caller, grant_id)
    if grant.given_by != caller.client:
        await _require_granter(session, caller, grant.operations)
    require_version(grant.version, expected_version)
    if grant.revoked:
        raise GrantRevoked
    await require_operator_left(session, without=grant)
    grant.revoke(by=caller.client, officer=caller.officer, at=datetime.now(UTC))
    emit(session, grant.changed())
    return grant


async def _require_granter(
    session: AsyncSession,
    caller: CallContext,
    operations: Collection[str],
    held: Collection[Grant] = (),
) -> None:
    """Raise OperatorsOnly or NotTheOwner; `held` lets a holder pass on what may be passed on."""
    if await is_operator(session, caller):
        return
    if reserved := {name for name in operations if grant_rule(name).granted_by == "operator"}:
        raise OperatorsOnly("Ask an operator of the mesh to do it.", operations=named(reserved))
    passed_on = {name for grant in held for name in grant.operations if grant_rule(name).granted_on}
    foreign = {name for name in operations if owner(name) != caller.agency} - passed_on
    if foreign:
        raise NotTheOwner("Ask the owner of these operations' data.", operations=named(foreign))


def _require_within(held: Collection[Grant], new: GrantIn) -> None:
    """Raise BeyondOwnRight unless for each operation one grant of the giver covers the whole."""
    covering = [grant for grant in held if covers_grant(grant, new)]
    own = {name for grant in covering for name in grant.operations}
    if ANY_OPERATION not in own and (beyond := set(new.operations) - own):
        raise BeyondOwnRight(beyond)


def _require_other(caller: CallContext, new: GrantIn) -> None:
    own = {name for name in new.operations if not grant_rule(name).to_self}
    if own and new.client_id == caller.client:
        raise GrantToSelf(own)
