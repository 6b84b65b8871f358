"""Every query of the gateway's requests and timers."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import KnownAgency, LedgerChain, LedgerSeal, StoredRecord
from gateway.schemas import RecordFilter
from shared.auth import Right
from shared.coverage import is_agency_within

# The name of the agency is None where it is not known here.
FoundRecord = Row[StoredRecord, str]
Condition = ColumnElement[bool]


async def moved_heads(session: AsyncSession) -> Sequence[LedgerSeal]:
    """Return the newest seal of each chain that was not yet told on the axis."""
    moved = _heads().where(LedgerSeal.number > LedgerChain.anchored)
    return (await session.scalars(moved)).all()


async def heads(session: AsyncSession) -> Sequence[LedgerSeal]:
    """Return the newest seal of each chain."""
    return (await session.scalars(_heads())).all()


def _heads() -> Select[LedgerSeal]:
    newest = (
        select(LedgerSeal.number)
        .where(LedgerSeal.chain == LedgerChain.chain)
        .order_by(LedgerSeal.number.desc())
        .limit(1)
        .correlate(LedgerChain)
        .scalar_subquery()
    )
    return (
        select(LedgerSeal)
        .join(LedgerChain, LedgerChain.chain == LedgerSeal.chain)
        .where(LedgerSeal.number == newest)
        .order_by(LedgerSeal.chain)
    )


async def mark_anchored(session: AsyncSession, seal: LedgerSeal) -> None:
    await session.execute(
        update(LedgerChain).where(LedgerChain.chain == seal.chain).values(anchored=seal.number)
    )


async def list_records(
    session: AsyncSession,
    right: Right,
    wanted: RecordFilter,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[FoundRecord]:
    """The newest first."""
    query = _visible_records(right).where(*_conditions(wanted))
    if after:
        query = query.where(tuple_(StoredRecord.at, StoredRecord.id) < after)
    newest_first = query.order_by(StoredRecord.at.desc(), StoredRecord.id.desc()).limit(limit)
    return list((await session.execute(newest_first)).all())


async def find_record(session: AsyncSession, right: Right, record_id: UUID) -> FoundRecord | None:
    query = _visible_records(right).where(StoredRecord.id == record_id)
    return (await session.execute(query)).one_or_none()


async def read_seal(session: AsyncSession, chain: str, number: int) -> LedgerSeal | None:
    return await session.get(LedgerSeal, (chain, number))


async def records_of_seal(session: AsyncSession, seal: LedgerSeal) -> Sequence[bytes]:
    query = (
        select(StoredRecord.record)
        .where(StoredRecord.chain == seal.chain, StoredRecord.number == seal.number)
        .order_by(StoredRecord.index)
    )
    return (await session.scalars(query)).all()


async def list_seals(
    session: AsyncSession, chain: str | None, *, limit: int, after: tuple[Any, ...] | None
) -> list[LedgerSeal]:
    """In the order in which a chain is verified."""
    query = select(LedgerSeal)
    if chain:
        query = query.where(LedgerSeal.chain == chain)
    if after:
        query = query.where(tuple_(LedgerSeal.chain, LedgerSeal.number) > after)
    in_order = query.order_by(LedgerSeal.chain, LedgerSeal.number).limit(limit)
    return list((await session.scalars(in_order)).all())


def _visible_records(right: Right) -> Select[StoredRecord, str]:
    """What the right covers: an agency sees what it did, who has no limit sees all."""
    query = select(StoredRecord, KnownAgency.name).outerjoin(
        KnownAgency, KnownAgency.code == StoredRecord.agency
    )
    if right.agencies is not None:
        query = query.where(is_agency_within(StoredRecord.agency, right.agencies))
    if right.procedures is not None:
        query = query.where(_for_one_of(right.procedures))
    return query


def _for_one_of(procedures: Collection[str]) -> Condition:
    """As `shared.events.codes.covering_codes`; a purpose may also be no code at all."""
    purpose = StoredRecord.purpose
    is_localised = func.substr(purpose, 9, 1) == "."
    given = any_(bindparam(None, sorted(procedures), type_=ARRAY(String)))
    return or_(purpose == given, and_(is_localised, func.left(purpose, 8) == given))


def _conditions(wanted: RecordFilter) -> list[Condition]:
    equal: dict[str, Any] = wanted.model_dump(
        include={"dossier", "client", "agency", "operation", "outcome"}, exclude_none=True
    )
    conditions = [getattr(StoredRecord, name) == value for name, value in equal.items()]
    if wanted.subject is not None:
        conditions.append(StoredRecord.subjects.contains([wanted.subject]))
    if wanted.since is not None:
        conditions.append(StoredRecord.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(StoredRecord.at < wanted.until)
    return conditions
