"""Query grants.

`clients` is the subquery of the clients that the caller's right covers; the grants of others are
not found.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    any_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.grants.grant_rules import ANY_OPERATION
from identity_service.grants.models import Grant

# The gateway gets no grant that ended longer ago: no event arrives so late.
RETENTION_ENDED_GRANTS = timedelta(days=8)
# The maximum number of procedures, agencies and fields in one page of grants.
MAX_PAGE_CODES = 50_000


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
    grants, _ = await _cut_page(session, query, limit)
    return grants


async def list_grants(
    session: AsyncSession,
    clients: Select[str] | None,
    *,
    after: UUID | None,
    limit: int,
    client_id: str | None,
    operation: str | None,
    in_force: bool | None,
) -> tuple[Sequence[Grant], bool]:
    """Return the page, which may be shorter than `limit`, and whether more grants follow."""
    query = _select_grants(clients)
    if after:
        query = query.where(Grant.id > after)
    if client_id:
        query = query.where(Grant.client_id == client_id)
    if operation:
        query = query.where(Grant.operations.contains([operation]))
    if in_force is not None:
        condition = _build_in_force_condition(func.now())
        query = query.where(condition if in_force else ~condition)
    return await _cut_page(session, query, limit)


async def _cut_page(
    session: AsyncSession, query: Select[Grant], limit: int
) -> tuple[Sequence[Grant], bool]:
    """Return the first grants by id with up to `MAX_PAGE_CODES` codes together, at least one."""
    sizes = query.with_only_columns(Grant.id, _count_codes()).order_by(Grant.id).limit(limit + 1)
    rows = (await session.execute(sizes)).all()
    sums = accumulate(codes for _, codes in rows)
    count = min(limit, max(1, sum(1 for codes in sums if codes <= MAX_PAGE_CODES)))
    ids = [grant_id for grant_id, _ in rows[:count]]
    any_id = any_(bindparam(None, ids, type_=ARRAY(Uuid)))
    grants = await session.scalars(select(Grant).where(Grant.id == any_id).order_by(Grant.id))
    return grants.all(), len(rows) > count


def _count_codes() -> ColumnElement[int]:
    """Return the count of a grant itself and its procedures, agencies and fields."""
    limits = Grant.procedures, Grant.agencies, Grant.fields
    return sum((func.coalesce(func.cardinality(codes), 0) for codes in limits), literal(1))


async def sum_codes(session: AsyncSession, client_id: str, now: datetime) -> dict[str, int]:
    """Return, by operation, the number of codes in the client's grants that have not ended."""
    has_not_ended = or_(Grant.valid_to.is_(None), Grant.valid_to > now)
    named = (
        select(func.unnest(Grant.operations).label("operation"), _count_codes().label("codes"))
        .where(Grant.client_id == client_id, Grant.revoked_at.is_(None), has_not_ended)
        .subquery()
    )
    query = select(named.c.operation, func.sum(named.c.codes)).group_by(named.c.operation)
    return {name: int(codes) for name, codes in await session.execute(query)}


async def list_grants_in_force(
    session: AsyncSession, client_id: str, operations: Sequence[str], now: datetime
) -> Sequence[Grant]:
    """Return the client's grants in force that name one of the operations, or all."""
    naming = Grant.operations.overlap([*operations, ANY_OPERATION])
    query = select(Grant).where(
        Grant.client_id == client_id, naming, _build_in_force_condition(now)
    )
    return (await session.scalars(query.order_by(Grant.given_at, Grant.id))).all()


async def list_unlimited_grants(session: AsyncSession, clients: Collection[str]) -> Sequence[Grant]:
    """Return the unlimited grants in force of these clients."""
    query = select(Grant).where(
        Grant.client_id.in_(clients),
        Grant.operations.contains([ANY_OPERATION]),
        Grant.agencies.is_(None),
        Grant.procedures.is_(None),
        Grant.fields.is_(None),
        _build_in_force_condition(func.now()),
    )
    return (await session.scalars(query)).all()


async def list_resting_grants(session: AsyncSession, ended: Collection[UUID]) -> Sequence[Grant]:
    """Return the grants that rest on one of `ended` and are not revoked."""
    query = select(Grant).where(Grant.rests_on.overlap(list(ended)), Grant.revoked_at.is_(None))
    return (await session.scalars(query.order_by(Grant.id))).all()


async def count_ended_of_others(session: AsyncSession, client_id: str, *, since: datetime) -> int:
    """Count the grants that the client ended, except by acts on a grant that it had given."""
    acts = (
        select(func.count().label("ended"))
        .where(Grant.revoked_by == client_id, Grant.revoked_at > since)
        .group_by(Grant.revoked_at)
        .having(func.bool_and(Grant.given_by != client_id))
        .subquery()
    )
    return int(await session.scalar(select(func.sum(acts.c.ended))) or 0)


async def list_given_grants(session: AsyncSession, client_id: str) -> Sequence[Grant]:
    """Return the grants to others that rest on one of the client's and are not revoked."""
    grant_ids = await session.scalars(select(Grant.id).where(Grant.client_id == client_id))
    resting = await list_resting_grants(session, grant_ids.all())
    return [grant for grant in resting if grant.client_id != client_id]


async def find_grant(
    session: AsyncSession, grant_id: UUID, clients: Select[str] | None
) -> Grant | None:
    return await session.scalar(_select_grants(clients).where(Grant.id == grant_id))


async def has_given_grants(session: AsyncSession, giver: str) -> bool:
    """Return whether there is a grant of this giver, revoked or not."""
    return bool(await session.scalar(select(exists().where(Grant.given_by == giver))))


def _select_grants(clients: Select[str] | None) -> Select[Grant]:
    """Select the grants of the clients that a subquery returns; None for all."""
    query = select(Grant)
    return query if clients is None else query.where(Grant.client_id.in_(clients))


def _build_in_force_condition(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    open_end = or_(Grant.valid_to.is_(None), Grant.valid_to > now)
    return Grant.revoked_at.is_(None) & (Grant.valid_from <= now) & open_end
