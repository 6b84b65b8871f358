"""Define every query of the requests and timers of the ledger."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    String,
    any_,
    bindparam,
    func,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gateway.ledger.models import LedgerChain, LedgerSeal, StoredRecord
from shared.codes.coverage import list_written_agency_codes, list_written_procedure_codes
from shared.database.coverage import canonical_agency, is_agency_within, is_procedure_covered
from shared.web.calls.rights import Codes, Limits, unite_codes

Condition = ColumnElement[bool]


class VisibleRecord(NamedTuple):
    """A record, and the fields of it that may be shown."""

    record: StoredRecord
    fields: Codes


@dataclass(frozen=True)
class RecordConditions:
    """The conditions of a search: values by their column, an agency, a person, an interval."""

    equal: Mapping[str, str]
    agency: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_moved_heads(session: AsyncSession) -> Sequence[LedgerSeal]:
    """Return the newest seal of each chain whose newest seal is not published yet."""
    moved = _select_chain_heads().where(LedgerSeal.number > LedgerChain.anchored)
    return (await session.scalars(moved)).all()


async def list_chain_heads(session: AsyncSession) -> Sequence[LedgerSeal]:
    """Return the newest seal of each chain."""
    return (await session.scalars(_select_chain_heads())).all()


def _select_chain_heads() -> Select[LedgerSeal]:
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


async def mark_head_anchored(session: AsyncSession, seal: LedgerSeal) -> None:
    await session.execute(
        update(LedgerChain).where(LedgerChain.chain == seal.chain).values(anchored=seal.number)
    )


async def list_records(
    session: AsyncSession,
    alternatives: Iterable[Limits],
    conditions: RecordConditions,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> list[VisibleRecord]:
    """Return the newest records that one of the alternatives reaches, `limit` at most."""
    records: dict[tuple[Any, ...], VisibleRecord] = {}
    for limits in alternatives:
        query = await _select_newest_records(session, limits, conditions, limit=limit, after=after)
        for record in await session.scalars(query):
            key = record_order_key(record)
            records[key] = _widen_visible_record(record, limits, records.get(key))
    return [records[key] for key in sorted(records, reverse=True)][:limit]


# A completing record has the instant of the first one and a later place in the chain.
_ORDER = (StoredRecord.at, StoredRecord.chain, StoredRecord.number, StoredRecord.index)


# Beyond, the newest records are sought by time: those of so many agencies are not rare.
MAX_RANGE_ROWS = 20_000
# An index on one of these finds few records, of all agencies together.
_FOUND_BY_INDEX = frozenset({"client", "dossier"})


async def _select_newest_records(
    session: AsyncSession,
    limits: Limits,
    search: RecordConditions,
    *,
    limit: int,
    after: tuple[Any, ...] | None,
) -> Select[StoredRecord]:
    """Select the newest records within the limits, by one range of an index for each agency.

    To seek them by time would read the records of all others where these agencies are rare.
    """
    query = select(StoredRecord).where(
        *_list_procedure_conditions(limits), *_list_search_conditions(search)
    )
    if after:
        query = query.where(tuple_(*_ORDER) < after)
    newest = query.order_by(*(column.desc() for column in _ORDER)).limit(limit)
    agencies = await _list_range_agencies(session, limits, search)
    if agencies is not None and len(agencies) * limit <= MAX_RANGE_ROWS:
        return _merge_agency_ranges(newest, agencies, limit)
    return newest.where(*_list_agency_conditions(limits, search.agency))


async def _list_range_agencies(
    session: AsyncSession, limits: Limits, search: RecordConditions
) -> Sequence[str] | None:
    """Return the codes, as they are written, of the agencies to list; None where all are listed.

    None too where another index finds the records.
    """
    if search.subject is not None or not _FOUND_BY_INDEX.isdisjoint(search.equal):
        return None
    if search.agency is not None:
        codes: Sequence[str] = list_written_agency_codes(search.agency)
    elif limits.agencies is not None:
        codes = await _list_written_agencies(session)
    else:
        return None
    return [code for code in codes if limits.covers_agency(code)]


async def _list_written_agencies(session: AsyncSession) -> Sequence[str]:
    """Return the agencies that have records, by one step of an index for each."""
    lowest = func.min(StoredRecord.agency)
    written = select(lowest.label("code")).cte("written", recursive=True)
    higher = select(lowest).where(StoredRecord.agency > written.c.code).correlate(written)
    following = select(higher.scalar_subquery()).where(written.c.code.is_not(None))
    written = written.union_all(following)
    query = select(written.c.code).where(written.c.code.is_not(None))
    return (await session.scalars(query)).all()


def _merge_agency_ranges(
    newest: Select[StoredRecord], agencies: Sequence[str], limit: int
) -> Select[StoredRecord]:
    unnested = func.unnest(bindparam(None, agencies, type_=ARRAY(String)))
    codes = unnested.table_valued("code", name="agencies").render_derived()
    of_one = newest.where(StoredRecord.agency == codes.c.code).lateral("newest")
    record = aliased(StoredRecord, of_one)
    order = (getattr(record, column.key).desc() for column in _ORDER)
    return select(record).select_from(codes.join(of_one, true())).order_by(*order).limit(limit)


def record_order_key(record: StoredRecord) -> tuple[datetime, str, int, int]:
    """Return the place of a record in the list."""
    return record.at, record.chain, record.number, record.index


async def find_record(
    session: AsyncSession, alternatives: Iterable[Limits], record_id: UUID
) -> VisibleRecord | None:
    visible: VisibleRecord | None = None
    for limits in alternatives:
        query = select(StoredRecord).where(
            StoredRecord.id == record_id,
            *_list_procedure_conditions(limits),
            *_list_agency_conditions(limits),
        )
        if (record := (await session.scalars(query)).one_or_none()) is not None:
            visible = _widen_visible_record(record, limits, visible)
    return visible


def _widen_visible_record(
    record: StoredRecord, limits: Limits, before: VisibleRecord | None
) -> VisibleRecord:
    """Return the record with the fields that these limits or the earlier ones show."""
    fields = limits.fields if before is None else unite_codes(before.fields, limits.fields)
    return VisibleRecord(record, fields)


async def read_seal(session: AsyncSession, chain: str, number: int) -> LedgerSeal | None:
    return await session.get(LedgerSeal, (chain, number))


async def list_sealed_records(session: AsyncSession, seal: LedgerSeal) -> Sequence[bytes]:
    query = (
        select(StoredRecord.record)
        .where(StoredRecord.chain == seal.chain, StoredRecord.number == seal.number)
        .order_by(StoredRecord.index)
    )
    return (await session.scalars(query)).all()


async def list_seals(
    session: AsyncSession, chain: str | None, *, limit: int, after: tuple[Any, ...] | None
) -> list[LedgerSeal]:
    """Return seals in the order in which a chain is verified."""
    query = select(LedgerSeal)
    if chain:
        query = query.where(LedgerSeal.chain == chain)
    if after:
        query = query.where(tuple_(LedgerSeal.chain, LedgerSeal.number) > after)
    in_order = query.order_by(LedgerSeal.chain, LedgerSeal.number).limit(limit)
    return list((await session.scalars(in_order)).all())


def _list_procedure_conditions(limits: Limits) -> list[Condition]:
    return [] if limits.procedures is None else [_covers_stored_purpose(limits.procedures)]


def _list_agency_conditions(limits: Limits, agency: str | None = None) -> list[Condition]:
    """Return the conditions that a record is of an agency within the limits, and of `agency`.

    A sealed record keeps its agency as it was written, in either form.
    """
    conditions: list[Condition] = []
    if limits.agencies is not None:
        written = canonical_agency(StoredRecord.agency)
        conditions.append(is_agency_within(written, limits.agencies))
    if agency is not None:
        conditions.append(StoredRecord.agency.in_(list_written_agency_codes(agency)))
    return conditions


def _covers_stored_purpose(procedures: Collection[str]) -> Condition:
    """Match the codes of a right or their national codes, as `list_covering_codes` does.

    A record keeps the purpose as it was sent: it may be written in either form, or be no code.
    """
    any_code = any_(bindparam(None, list_written_procedure_codes(procedures), type_=ARRAY(String)))
    return is_procedure_covered(StoredRecord.purpose, any_code)


def _list_search_conditions(search: RecordConditions) -> list[Condition]:
    """Return the conditions of a search but that of its agency."""
    conditions = [getattr(StoredRecord, name) == value for name, value in search.equal.items()]
    if search.subject is not None:
        conditions.append(StoredRecord.subjects.contains([search.subject]))
    if search.since is not None:
        conditions.append(StoredRecord.at >= search.since)
    if search.until is not None:
        conditions.append(StoredRecord.at < search.until)
    return conditions
