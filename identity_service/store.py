"""Every query. What a caller may not see is not in the rows: `within` names the agencies it may."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from identity_service.grant_rules import ANY_OPERATION
from identity_service.models import (
    Agency,
    Client,
    ClientKey,
    ClientProposal,
    Grant,
    UsedAssertion,
)
from identity_service.schemas import AgencyFilter, ClientFilter, ClientId, GrantFilter
from shared.coverage import is_agency_within
from shared.events.codes import AgencyCode
from shared.folding import fold_bare

Within = AbstractSet[str] | None
ProposalKey = tuple[str, str, str]  # client, act, about
_CLIENT_ACTS_LOCK = 7_103
# The procedures, agencies and fields that one page of grants holds together, at most.
MAX_PAGE_CODES = 50_000


def _covered(code: InstrumentedAttribute[str], within: Within) -> ColumnElement[bool]:
    """Each agency stands for itself and all below it; None for all."""
    if within is None:
        return true()
    return is_agency_within(code, within)


async def list_agencies(session: AsyncSession, asked: AgencyFilter, within: Within) -> list[Agency]:
    query = select(Agency).where(_covered(Agency.code, within))
    if after := asked.paging.key(AgencyCode):
        query = query.where(Agency.code > after[0])
    if asked.level:
        query = query.where(Agency.level == asked.level)
    if asked.parent:
        query = query.where(Agency.parent == asked.parent)
    if asked.q:
        named = Agency.search_name.contains(fold_bare(asked.q), autoescape=True)
        query = query.where(or_(named, Agency.code == asked.q, Agency.old_code == asked.q))
    if asked.on:
        query = query.where(_existing_on(asked.on))
    query = query.order_by(Agency.code).limit(asked.limit + 1)
    return list((await session.scalars(query)).all())


def _existing_on(day: date) -> ColumnElement[bool]:
    open_end = or_(Agency.valid_to.is_(None), Agency.valid_to >= day)
    return (Agency.valid_from <= day) & open_end


async def get_agency(session: AsyncSession, code: str, within: Within = None) -> Agency | None:
    query = select(Agency).where(Agency.code == code, _covered(Agency.code, within))
    return await session.scalar(query)


async def get_agencies(
    session: AsyncSession, codes: Collection[str], within: Within
) -> dict[str, Agency]:
    query = select(Agency).where(Agency.code.in_(codes), _covered(Agency.code, within))
    found = await session.scalars(query)
    return {agency.code: agency for agency in found}


async def list_clients(session: AsyncSession, asked: ClientFilter, within: Within) -> list[Client]:
    query = _clients(within)
    if after := asked.paging.key(ClientId):
        query = query.where(Client.client_id > after[0])
    if asked.agency:
        query = query.where(Client.agency == asked.agency)
    if asked.kind:
        query = query.where(Client.kind == asked.kind)
    if asked.operator is not None:
        query = query.where(Client.operator == asked.operator)
    if asked.active is not None:
        query = query.where(Client.active == asked.active)
    query = query.order_by(Client.client_id).limit(asked.limit + 1)
    return list((await session.scalars(query)).all())


def _clients(within: Within) -> Select[Client]:
    return select(Client).where(_covered(Client.agency, within)).options(selectinload(Client.keys))


async def list_all_clients(
    session: AsyncSession, *, after: str | None, limit: int
) -> Sequence[Client]:
    query = select(Client).order_by(Client.client_id).limit(limit)
    if after is not None:
        query = query.where(Client.client_id > after)
    return (await session.scalars(query)).all()


# What gave no right for longer than this is not told to the gateway: longer than an event can come.
RETENTION_ENDED_GRANTS = timedelta(days=8)


async def list_current_grants(
    session: AsyncSession, *, after: UUID | None, limit: int, now: datetime
) -> Sequence[Grant]:
    lately = now - RETENTION_ENDED_GRANTS
    query = (
        select(Grant)
        .where(or_(Grant.revoked_at.is_(None), Grant.revoked_at > lately))
        .where(or_(Grant.valid_to.is_(None), Grant.valid_to > lately))
    )
    if after is not None:
        query = query.where(Grant.id > after)
    grants, _ = await _cut_grants(session, query, limit)
    return grants


async def get_client(session: AsyncSession, client_id: str, within: Within = None) -> Client | None:
    return await session.scalar(_clients(within).where(Client.client_id == client_id))


async def find_client(session: AsyncSession, client_id: str) -> Client | None:
    """Return the client without its keys, in one statement whether it exists or not."""
    return await session.scalar(select(Client).where(Client.client_id == client_id))


async def find_client_with_key(
    session: AsyncSession, client_id: str, kid: str
) -> tuple[Client | None, ClientKey | None]:
    """Return both in one statement, which costs the same where either is unknown."""
    key = (ClientKey.client_id == Client.client_id) & (ClientKey.kid == kid)
    query = select(Client, ClientKey).outerjoin(ClientKey, key)
    row = (await session.execute(query.where(Client.client_id == client_id))).one_or_none()
    return (row[0], row[1]) if row else (None, None)


async def find_client_key(session: AsyncSession, client_id: str, kid: str) -> ClientKey | None:
    return await session.get(ClientKey, (client_id, kid))


async def lock_client_acts(session: AsyncSession) -> None:
    """Let acts on keys, on active clients and on the power of operators happen one by one."""
    await session.execute(select(func.pg_advisory_xact_lock(_CLIENT_ACTS_LOCK)))


async def is_active_operator(session: AsyncSession, client_id: str) -> bool:
    found = select(Client.operator & Client.active).where(Client.client_id == client_id)
    return bool(await session.scalar(found))


async def has_operators(session: AsyncSession) -> bool:
    """Return whether any client is an operator, active or not."""
    return bool(await session.scalar(select(exists().where(Client.operator))))


async def list_operators(session: AsyncSession) -> Sequence[Client]:
    """Return the active operators with their keys."""
    query = select(Client).where(Client.operator, Client.active)
    return (await session.scalars(query.options(selectinload(Client.keys)))).all()


async def list_powers(session: AsyncSession, clients: Collection[str]) -> Sequence[Grant]:
    """Return the grants in force by which one of these clients may do all, without limits."""
    query = select(Grant).where(
        Grant.client_id.in_(clients),
        Grant.operations.contains([ANY_OPERATION]),
        Grant.agencies.is_(None),
        Grant.procedures.is_(None),
        Grant.fields.is_(None),
        _in_force(func.now()),
    )
    return (await session.scalars(query)).all()


async def find_proposal(session: AsyncSession, proposal: ProposalKey) -> ClientProposal | None:
    return await session.get(ClientProposal, proposal)


async def forget_ended_proposals(session: AsyncSession) -> None:
    await session.execute(delete(ClientProposal).where(ClientProposal.expires_at < func.now()))


async def use_assertion(
    session: AsyncSession, client_id: str, jti: str, expires_at: datetime
) -> bool:
    """False where it was used before."""
    used = insert(UsedAssertion).values(client_id=client_id, jti=jti, expires_at=expires_at)
    fresh = used.on_conflict_do_nothing().returning(UsedAssertion.jti)
    return await session.scalar(fresh) is not None


async def forget_used_assertions(session: AsyncSession) -> None:
    await session.execute(delete(UsedAssertion).where(UsedAssertion.expires_at < func.now()))


async def list_grants(
    session: AsyncSession, asked: GrantFilter, within: Within
) -> tuple[Sequence[Grant], bool]:
    """Return the page, which may be shorter than asked for, and whether more grants follow."""
    query = _grants(within)
    if after := asked.paging.key(UUID):
        query = query.where(Grant.id > after[0])
    if asked.client_id:
        query = query.where(Grant.client_id == asked.client_id)
    if asked.operation:
        query = query.where(Grant.operations.contains([asked.operation]))
    if asked.in_force is not None:
        in_force = _in_force(func.now())
        query = query.where(in_force if asked.in_force else ~in_force)
    return await _cut_grants(session, query, asked.limit)


async def _cut_grants(
    session: AsyncSession, query: Select[Grant], limit: int
) -> tuple[Sequence[Grant], bool]:
    """Return the first grants by id that have `MAX_PAGE_CODES` together, one at least."""
    sizes = query.with_only_columns(Grant.id, _count_codes()).order_by(Grant.id).limit(limit + 1)
    found = (await session.execute(sizes)).all()
    sums = accumulate(codes for _, codes in found)
    kept = min(limit, max(1, sum(1 for codes in sums if codes <= MAX_PAGE_CODES)))
    ids = [grant_id for grant_id, _ in found[:kept]]
    given = any_(bindparam(None, ids, type_=ARRAY(Uuid)))
    grants = await session.scalars(select(Grant).where(Grant.id == given).order_by(Grant.id))
    return grants.all(), len(found) > kept


def _count_codes() -> ColumnElement[int]:
    """Count a grant itself, and its procedures, agencies and fields."""
    limits = Grant.procedures, Grant.agencies, Grant.fields
    return sum((func.coalesce(func.cardinality(codes), 0) for codes in limits), literal(1))


async def sum_codes(session: AsyncSession, client_id: str, now: datetime) -> dict[str, int]:
    """Return by operation the codes of all grants of the client that have not ended."""
    lasting = or_(Grant.valid_to.is_(None), Grant.valid_to > now)
    named = (
        select(func.unnest(Grant.operations).label("operation"), _count_codes().label("codes"))
        .where(Grant.client_id == client_id, Grant.revoked_at.is_(None), lasting)
        .subquery()
    )
    query = select(named.c.operation, func.sum(named.c.codes)).group_by(named.c.operation)
    return {name: int(codes) for name, codes in await session.execute(query)}


async def list_grants_in_force(
    session: AsyncSession, client_id: str, operations: Sequence[str], now: datetime
) -> Sequence[Grant]:
    """Return the grants of the client that name one of the operations, or all."""
    naming = Grant.operations.overlap([*operations, ANY_OPERATION])
    query = select(Grant).where(Grant.client_id == client_id, naming, _in_force(now))
    return (await session.scalars(query.order_by(Grant.given_at, Grant.id))).all()


async def list_resting(session: AsyncSession, ended: Collection[UUID]) -> Sequence[Grant]:
    """Return the grants that rest on one of `ended` and are not revoked."""
    query = select(Grant).where(Grant.rests_on.overlap(list(ended)), Grant.revoked_at.is_(None))
    return (await session.scalars(query.order_by(Grant.id))).all()


async def list_given(session: AsyncSession, client_id: str) -> Sequence[Grant]:
    """Return the grants to others that rest on one of the client's and are not revoked."""
    own = await session.scalars(select(Grant.id).where(Grant.client_id == client_id))
    resting = await list_resting(session, own.all())
    return [grant for grant in resting if grant.client_id != client_id]


def _in_force(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    open_end = or_(Grant.valid_to.is_(None), Grant.valid_to > now)
    return Grant.revoked_at.is_(None) & (Grant.valid_from <= now) & open_end


def _grants(within: Within) -> Select[Grant]:
    return (
        select(Grant)
        .join(Client, Client.client_id == Grant.client_id)
        .where(_covered(Client.agency, within))
    )


async def get_grant(session: AsyncSession, grant_id: UUID, within: Within = None) -> Grant | None:
    return await session.scalar(_grants(within).where(Grant.id == grant_id))


async def add_agency(session: AsyncSession, **columns: Any) -> Agency | None:
    """None where one with its code is there already."""
    new = insert(Agency).values(columns).on_conflict_do_nothing()
    return await session.scalar(new.returning(Agency))


async def add_client(session: AsyncSession, **columns: Any) -> Client | None:
    """None where one with its id is there already."""
    new = insert(Client).values(columns).on_conflict_do_nothing().returning(Client.client_id)
    added = await session.scalar(new)
    return await get_client(session, added) if added else None


async def add_client_key(session: AsyncSession, **columns: Any) -> ClientKey | None:
    """None where the client has a key with its kid already."""
    new = insert(ClientKey).values(columns).on_conflict_do_nothing()
    return await session.scalar(new.returning(ClientKey))
