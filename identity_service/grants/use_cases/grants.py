from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.problems import list_first_names
from identity_service.agencies.use_cases import PendingAct, require_open_agencies
from identity_service.clients.problems import OperatorsOnly
from identity_service.clients.use_cases.approvals import Consent, find_missing_approval
from identity_service.clients.use_cases.clients import (
    find_client_agency,
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
from identity_service.grants.grant_rules import (
    ANY_OPERATION,
    find_grant_rule,
    list_fields,
    read_grant_rules,
)
from identity_service.grants.limits import require_limits_covered, select_covering_grants
from identity_service.grants.models import Grant
from identity_service.grants.ownership import find_owner
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
from identity_service.grants.use_cases.ending import StoredGrants, end_grants, list_ending_grants
from shared.codes.coverage import canonical_code
from shared.codes.time import day_in_viet_nam
from shared.events import GrantChanged
from shared.messaging.outbox import publish_events
from shared.texts.translatable import Translatable
from shared.web.calls.auth import MAX_RIGHT_CODES, CallContext
from shared.web.etag import Precondition, require_version
from shared.web.pagination import PageParameters

REVOKE_GRANT = "revoke-grant"
MAX_ENDED_ALONE = 20
_DAY = timedelta(days=1)


async def list_grants(
    session: AsyncSession, caller: CallContext, filters: GrantFilter, page: PageParameters
) -> tuple[Sequence[Grant], str | None]:
    """Return a page of grants, which may be shorter than `limit`, and the cursor of the next."""
    keyset = filters.read_keyset(page)
    after = keyset.key(UUID)
    grants, has_more = await repository.list_grants(
        session,
        _select_covered_clients(caller),
        after=after[0] if after else None,
        limit=keyset.limit,
        client_id=filters.client_id,
        operation=filters.operation,
        in_force=filters.in_force,
    )
    return grants, keyset.write((str(grants[-1].id),)) if has_more else None


async def list_grant_states(
    session: AsyncSession, *, after: UUID | None, limit: int, now: datetime
) -> Sequence[GrantChanged]:
    """Return the present state, in the form of events, of grants that have not long ended."""
    grants = await repository.list_current_grants(session, after=after, limit=limit, now=now)
    return [grant.build_event(now) for grant in grants]


def _select_covered_clients(caller: CallContext) -> Select[str] | None:
    """Return the subquery of the clients that the caller's right reaches, None for all."""
    within = caller.right.united_agencies
    return None if within is None else select_clients_within(within)


async def read_grant(session: AsyncSession, caller: CallContext, grant_id: UUID) -> Grant:
    grant = await repository.find_grant(session, grant_id, _select_covered_clients(caller))
    if grant is None:
        raise GrantNotFound
    return grant


async def create_grant(
    session: AsyncSession, caller: CallContext, requested: GrantIn, *, now: datetime
) -> Grant:
    if unknown := set(requested.operations) - read_grant_rules().keys():
        raise OperationsUnknown(unknown)
    known_fields = list_fields(requested.operations)
    if unknown := set(requested.fields or ()).difference(known_fields):
        raise FieldsUnknown(known_fields, count=len(unknown))
    # Without the lock, a grant that is revoked meanwhile could leave one that rests on it.
    await lock_client_acts(session)
    held = await repository.list_grants_in_force(session, caller.client, requested.operations, now)
    by_operator = await _require_granter(session, caller, requested.operations, held)
    require_limits_covered(caller, requested)
    valid_from = requested.valid_from or now
    if requested.valid_to and requested.valid_to <= valid_from:
        raise GrantEnded(
            Translatable("Set valid_to after valid_from, or after now where that is left out.")
        )
    rests_on = _require_covering_grants(held, requested, valid_from, by_operator=by_operator)
    await _require_other_receiver(session, caller, requested, by_operator=by_operator)
    await require_active_client(session, caller, requested.client_id)
    begin = day_in_viet_nam(max(now, valid_from))
    reached = caller.right.united_agencies
    await require_open_agencies(session, requested.agencies or (), reached, begin)
    await _require_code_limit(session, requested, now)
    grant = Grant(
        id=uuid4(),
        version=1,
        given_by=caller.client,
        given_by_officer=caller.officer,
        given_at=now,
        rests_on=[] if by_operator else rests_on,
        **requested.model_dump() | {"valid_from": valid_from},
    )
    session.add(grant)
    publish_events(session, grant.build_event(now))
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
    ending = await list_ending_grants(session, [grant])
    if await _needs_second_operator(session, consent, ending) and (
        pending := await find_missing_approval(
            session, consent, grant.client_id, act=REVOKE_GRANT, about=str(grant.id)
        )
    ):
        return pending
    await end_grants(session, caller, ending, now=consent.now)
    return ending


async def _needs_second_operator(
    session: AsyncSession, consent: Consent, ending: Sequence[Grant]
) -> bool:
    """Return whether a second operator must confirm that the grants end.

    It must where an operator takes administration from another active operator, and where an
    operator ends more than `MAX_ENDED_ALONE` grants of other givers in a day.
    """
    caller, grant = consent.caller.client, ending[0]
    if grant.client_id == caller or not await is_operator(session, consent.caller):
        return False
    administers = any(find_grant_rule(name).granted_by == "operator" for name in grant.operations)
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
    if reserved := {name for name in operations if find_grant_rule(name).granted_by == "operator"}:
        raise OperatorsOnly(operations=list_first_names(reserved))
    passed_on = {
        name for grant in held for name in grant.operations if find_grant_rule(name).granted_on
    }
    own_agency = canonical_code(caller.agency)
    foreign = {name for name in operations if find_owner(name) != own_agency} - passed_on
    if foreign:
        raise NotTheOwner(operations=list_first_names(foreign))
    return False


async def _require_code_limit(session: AsyncSession, requested: GrantIn, now: datetime) -> None:
    """Raise RightTooLong where the client would have too many codes for one operation."""
    sums = await repository.sum_codes(session, requested.client_id, now)
    of_any = sums.pop(ANY_OPERATION, 0)
    is_for_any = ANY_OPERATION in requested.operations
    affected = {ANY_OPERATION, *sums} if is_for_any else set(requested.operations)
    added = 1 + sum(
        len(codes or ()) for codes in (requested.procedures, requested.agencies, requested.fields)
    )
    totals = {name: sums.get(name, 0) + of_any + added for name in affected}
    if beyond := {name: total for name, total in totals.items() if total > MAX_RIGHT_CODES}:
        raise RightTooLong(beyond)


def _require_covering_grants(
    held: Collection[Grant], requested: GrantIn, valid_from: datetime, *, by_operator: bool
) -> Sequence[UUID]:
    """Return the ids of the giver's grants that cover the new one, the oldest for each operation.

    Raise BeyondOwnRight where no grant covers an operation.
    """
    covering = select_covering_grants(held, requested, valid_from)
    grant_ids = {
        name: next(
            (
                grant.id
                for grant in covering
                if {name, ANY_OPERATION} & set(grant.operations)
                and (by_operator or _covers_rate(grant, name, requested))
            ),
            None,
        )
        for name in requested.operations
    }
    if beyond := [name for name, grant_id in grant_ids.items() if grant_id is None]:
        raise BeyondOwnRight(beyond)
    return sorted({grant_id for grant_id in grant_ids.values() if grant_id is not None})


def _covers_rate(held: Grant, operation: str, requested: GrantIn) -> bool:
    """Return whether the held rate, by default that of the operation, covers the new one."""
    default = find_grant_rule(operation).per_second
    return (
        held.per_second is not None
        or requested.per_second is None
        or requested.per_second <= default
    )


async def _require_other_receiver(
    session: AsyncSession, caller: CallContext, requested: GrantIn, *, by_operator: bool
) -> None:
    """Raise GrantToSelf where the giver or another client of its agency would receive the grant.

    An operator may give grants to the other clients of its own agency.
    """
    operations = {name for name in requested.operations if not find_grant_rule(name).to_self}
    if not operations:
        return
    receiver = await find_client_agency(session, requested.client_id)
    is_own = receiver is not None and canonical_code(receiver) == canonical_code(caller.agency)
    within = is_own and not by_operator
    if within or requested.client_id == caller.client:
        raise GrantToSelf(operations)


async def add_missing_grants(
    session: AsyncSession, rows: Sequence[Mapping[str, Any]], *, now: datetime
) -> int:
    """Add the grants whose ids are free, and return their number."""
    added = await add_missing(session, Grant, rows)
    publish_events(session, *(grant.build_event(now) for grant in added))
    return len(added)
