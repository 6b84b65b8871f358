"""Every query of the gateway's requests and timers."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
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

from gateway.agencies.models import KnownAgency
from gateway.ledger.models import LedgerChain, LedgerSeal, StoredRecord
from gateway.ledger.schemas import RecordFilter
from shared.database.coverage import is_agency_within
from shared.web.calls.rights import Codes, Limits, unite

# The name of the agency is None where it is not known here.
_FoundRow = Row[StoredRecord, str]
Condition = ColumnElement[bool]


class FoundRecord(NamedTuple):
    """A record, the name of its agency where it is known, and the fields that may be shown."""

    record: StoredRecord
    agency_name: str | None
    shown: Codes


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
    alternatives: Iterable[Limits],
    wanted: RecordFilter,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[FoundRecord]:
    """Return the newest records that one of the alternatives reaches, `limit` at most."""
    found: dict[tuple[Any, ...], FoundRecord] = {}
    for limits in alternatives:
        query = _visible_records(limits).where(*_conditions(wanted))
        if after:
            query = query.where(tuple_(*_ORDER) < after)
        newest_first = query.order_by(*(column.desc() for column in _ORDER)).limit(limit)
        for row in await session.execute(newest_first):
            key = record_key(row[0])
            found[key] = _show(row, limits, found.get(key))
    return [found[key] for key in sorted(found, reverse=True)][:limit]


# The record that completes another one has its instant, and a later place in the same chain.
_ORDER = (StoredRecord.at, StoredRecord.chain, StoredRecord.number, StoredRecord.index)


def record_key(record: StoredRecord) -> tuple[datetime, str, int, int]:
    """Return the place of a record in the list."""
    return record.at, record.chain, record.number, record.index


async def find_record(
    session: AsyncSession, alternatives: Iterable[Limits], record_id: UUID
) -> FoundRecord | None:
    found: FoundRecord | None = None
    for limits in alternatives:
        query = _visible_records(limits).where(StoredRecord.id == record_id)
        if (row := (await session.execute(query)).one_or_none()) is not None:
            found = _show(row, limits, found)
    return found


def _show(row: _FoundRow, limits: Limits, before: FoundRecord | None) -> FoundRecord:
    """Return the record with the fields that these limits, or those `before`, show."""
    shown = limits.fields if before is None else unite(before.shown, limits.fields)
    return FoundRecord(row[0], row[1], shown)


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


def _visible_records(limits: Limits) -> Select[StoredRecord, str]:
    """Select the records that the limits let through; a limit that is None lets all through."""
    query = select(StoredRecord, KnownAgency.name).outerjoin(
        KnownAgency, KnownAgency.code == StoredRecord.agency
    )
    if limits.agencies is not None:
        query = query.where(is_agency_within(StoredRecord.agency, limits.agencies))
    if limits.procedures is not None:
        query = query.where(_for_one_of(limits.procedures))
    return query


def _for_one_of(procedures: Collection[str]) -> Condition:
    """As `shared.codes.coverage.covering_codes`; a purpose may also be no code at all."""
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
