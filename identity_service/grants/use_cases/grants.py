from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.problems import named
from identity_service.agencies.use_cases import PendingAct, require_open_agencies
from identity_service.clients.problems import OperatorsOnly
from identity_service.clients.use_cases.approvals import Consent, find_missing_approval
from identity_service.clients.use_cases.clients import (
    find_agency,
    require_active_client,
    select_clients_within,
)
from identity_service.clients.use_cases.operators import (
    is_active_operator,
    is_operator,
    lock_client_acts,
    require_operator_left,
)
from identity_service.database import add_missing
from identity_service.grants import repository
from identity_service.grants.grant_rules import ANY_OPERATION, grant_rule, grant_rules, list_fields
from identity_service.grants.limits import require_limits_covered, select_covering
from identity_service.grants.models import Grant
from identity_service.grants.ownership import owner
from identity_service.grants.problems import (
    BeyondOwnRight,
    FieldsUnknown,
    GrantEnded,
    GrantNotFound,
    GrantRevoked,
    GrantToSelf,
    NotTheOwner,
    OperationsUnknown,
    RightTooLong,
)
from identity_service.grants.schemas import GrantFilter, GrantIn
from identity_service.grants.use_cases.ending import StoredGrants, end_grants, list_ending
from shared.codes.time import day_in_viet_nam
from shared.events import GrantChanged
from shared.messaging.outbox import publish_events
from shared.web.calls.auth import MAX_RIGHT_CODES, CallContext
from shared.web.etag import Precondition, require_version

REVOKE_GRANT = "revoke-grant"
MAX_ENDED_ALONE = 20
_DAY = timedelta(days=1)


async def list_grants(
    session: AsyncSession, caller: CallContext, filters: GrantFilter
) -> tuple[Sequence[Grant], str | None]:
    """Return a page of grants, which may be shorter than `limit`, and the cursor of the next."""
    after = filters.paging.key(UUID)
    page, has_more = await repository.list_grants(
        session,
        _select_reached(caller),
        after=after[0] if after else None,
        limit=filters.limit,
        client_id=filters.client_id,
        operation=filters.operation,
        in_force=filters.in_force,
    )
    return page, filters.paging.write((str(page[-1].id),)) if has_more else None


async def list_grant_states(
    session: AsyncSession, *, after: UUID | None, limit: int, now: datetime
) -> Sequence[GrantChanged]:
    """Return the present state, in the form of events, of grants that have not long ended."""
    grants = await repository.list_current_grants(session, after=after, limit=limit, now=now)
    return [grant.changed() for grant in grants]


def _select_reached(caller: CallContext) -> Select[str] | None:
    """Return the subquery of the clients that the caller's right reaches, None for all."""
    within = caller.right.united_agencies
    return None if within is None else select_clients_within(within)


async def read_grant(session: AsyncSession, caller: CallContext, grant_id: UUID) -> Grant:
    grant = await repository.get_grant(session, grant_id, _select_reached(caller))
    if grant is None:
        raise GrantNotFound
    return grant


async def give_grant(
    session: AsyncSession, caller: CallContext, new: GrantIn, *, now: datetime
) -> Grant:
    if unknown := set(new.operations) - grant_rules().keys():
        raise OperationsUnknown(unknown)
    known_fields = list_fields(new.operations)
    if unknown := set(new.fields or ()).difference(known_fields):
        raise FieldsUnknown(known_fields, count=len(unknown))
    # Without the lock, a grant that is revoked meanwhile could leave one that rests on it.
    await lock_client_acts(session)
    held = await repository.list_grants_in_force(session, caller.client, new.operations, now)
    by_operator = await _require_granter(session, caller, new.operations, held)
    require_limits_covered(caller, new)
    valid_from = new.valid_from or now
    if new.valid_to and new.valid_to <= valid_from:
        raise GrantEnded("Set valid_to after valid_from, or after now where that is left out.")
    rests_on = _require_within(held, new, valid_from, by_operator=by_operator)
    await _require_other(session, caller, new, by_operator=by_operator)
    await require_active_client(session, caller, new.client_id)
    begin = day_in_viet_nam(max(now, valid_from))
    reached = caller.right.united_agencies
    await require_open_agencies(session, new.agencies or (), reached, begin)
    await _require_room(session, new, now)
    grant = Grant(
        id=uuid4(),
        version=1,
        given_by=caller.client,
        given_by_officer=caller.officer,
        given_at=now,
        rests_on=[] if by_operator else rests_on,
        **new.model_dump() | {"valid_from": valid_from},
    )
    session.add(grant)
    publish_events(session, grant.changed())
    return grant


async def revoke_grant(
    session: AsyncSession, consent: Consent, grant_id: UUID, *, expected_version: Precondition
) -> Sequence[Grant] | PendingAct:
    """Return the grant and, after it, the others that ended because they rest on it.

    Return the pending act where it waits for a second operator.
    """
    caller = consent.caller
    await lock_client_acts(session)
    grant = await read_grant(session, caller, grant_id)
    if grant.given_by != caller.client:
        await _require_granter(session, caller, grant.operations)
    require_version(grant.version, expected_version)
    if grant.revoked:
        raise GrantRevoked
    await require_operator_left(session, StoredGrants(), without=grant.id)
    ending = await list_ending(session, [grant])
    if await _needs_two(session, consent, ending) and (
        pending := await find_missing_approval(
            session, consent, grant.client_id, act=REVOKE_GRANT, about=str(grant.id)
        )
    ):
        return pending
    await end_grants(session, caller, ending, now=consent.now)
    return ending


async def _needs_two(session: AsyncSession, consent: Consent, ending: Sequence[Grant]) -> bool:
    """Return whether a second operator must confirm that the grants end.

    It must where an operator takes administration from another active operator, and where an
    operator ends more than `MAX_ENDED_ALONE` grants of other givers in a day.
    """
    caller, grant = consent.caller.client, ending[0]
    if grant.client_id == caller or not await is_operator(session, consent.caller):
        return False
    administers = any(grant_rule(name).granted_by == "operator" for name in grant.operations)
    if administers and await is_active_operator(session, grant.client_id):
        return True
    if grant.given_by == caller:
        return False
    lately = await repository.count_ended_of_others(session, caller, since=consent.now - _DAY)
    return lately + len(ending) > MAX_ENDED_ALONE


async def _require_granter(
    session: AsyncSession,
    caller: CallContext,
    operations: Collection[str],
    held: Collection[Grant] = (),
) -> bool:
    """Return whether the caller is an operator; raise OperatorsOnly or NotTheOwner.

    A holder may pass on the operations of its `held` grants that the rules allow to pass on.
    """
    if await is_operator(session, caller):
        return True
    if reserved := {name for name in operations if grant_rule(name).granted_by == "operator"}:
        raise OperatorsOnly("Ask an operator of the mesh to do it.", operations=named(reserved))
    passed_on = {name for grant in held for name in grant.operations if grant_rule(name).granted_on}
    foreign = {name for name in operations if owner(name) != caller.agency} - passed_on
    if foreign:
        raise NotTheOwner("Ask the owner of these operations' data.", operations=named(foreign))
    return False


async def _require_room(session: AsyncSession, new: GrantIn, now: datetime) -> None:
    """Raise RightTooLong where the client would have too many codes for one operation."""
    sums = await repository.sum_codes(session, new.client_id, now)
    of_any = sums.pop(ANY_OPERATION, 0)
    is_for_any = ANY_OPERATION in new.operations
    affected = {ANY_OPERATION, *sums} if is_for_any else set(new.operations)
    added = 1 + sum(len(codes or ()) for codes in (new.procedures, new.agencies, new.fields))
    totals = {name: sums.get(name, 0) + of_any + added for name in affected}
    if beyond := {name: total for name, total in totals.items() if total > MAX_RIGHT_CODES}:
        raise RightTooLong(beyond)


def _require_within(
    held: Collection[Grant], new: GrantIn, valid_from: datetime, *, by_operator: bool
) -> Sequence[UUID]:
    """Return the ids of the giver's grants that cover the new one, the oldest for each operation.

    Raise BeyondOwnRight where no grant covers an operation.
    """
    covering = select_covering(held, new, valid_from)
    found = {
        name: next(
            (
                each.id
                for each in covering
                if {name, ANY_OPERATION} & set(each.operations)
                and (by_operator or _covers_rate(each, name, new))
            ),
            None,
        )
        for name in new.operations
    }
    if beyond := [name for name, grant_id in found.items() if grant_id is None]:
        raise BeyondOwnRight(beyond)
    return sorted({grant_id for grant_id in found.values() if grant_id is not None})


def _covers_rate(held: Grant, operation: str, new: GrantIn) -> bool:
    """Return whether the held rate, by default that of the operation, covers the new one."""
    default = grant_rule(operation).per_second
    return held.per_second is not None or new.per_second is None or new.per_second <= default


async def _require_other(
    session: AsyncSession, caller: CallContext, new: GrantIn, *, by_operator: bool
) -> None:
    """Raise GrantToSelf where the giver or another client of its agency would receive the grant.

    An operator may give grants to the other clients of its own agency.
    """
    own = {name for name in new.operations if not grant_rule(name).to_self}
    if not own:
        return
    receiver = await find_agency(session, new.client_id)
    within = receiver == caller.agency and not by_operator
    if within or new.client_id == caller.client:
        raise GrantToSelf(own)


async def add_missing_grants(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add the grants whose ids are free, and return their number."""
    added = await add_missing(session, Grant, rows)
    publish_events(session, *(grant.changed() for grant in added))
    return len(added)
