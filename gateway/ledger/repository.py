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
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

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
        query = _select_visible_records(limits).where(*_list_search_conditions(conditions))
        if after:
            query = query.where(tuple_(*_ORDER) < after)
        newest_first = query.order_by(*(column.desc() for column in _ORDER)).limit(limit)
        for record in await session.scalars(newest_first):
            key = record_order_key(record)
            records[key] = _widen_visible_record(record, limits, records.get(key))
    return [records[key] for key in sorted(records, reverse=True)][:limit]


# A completing record has the instant of the first one and a later place in the chain.
_ORDER = (StoredRecord.at, StoredRecord.chain, StoredRecord.number, StoredRecord.index)


def record_order_key(record: StoredRecord) -> tuple[datetime, str, int, int]:
    """Return the place of a record in the list."""
    return record.at, record.chain, record.number, record.index


async def find_record(
    session: AsyncSession, alternatives: Iterable[Limits], record_id: UUID
) -> VisibleRecord | None:
    visible: VisibleRecord | None = None
    for limits in alternatives:
        query = _select_visible_records(limits).where(StoredRecord.id == record_id)
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


def _select_visible_records(limits: Limits) -> Select[StoredRecord]:
    """Select the records within the limits; a limit that is None allows all.

    A sealed record keeps its agency as it was written, in either form.
    """
    query = select(StoredRecord)
    if limits.agencies is not None:
        query = query.where(
            is_agency_within(canonical_agency(StoredRecord.agency), limits.agencies)
        )
    if limits.procedures is not None:
        query = query.where(_covers_stored_purpose(limits.procedures))
    return query


def _covers_stored_purpose(procedures: Collection[str]) -> Condition:
    """Match the codes of a right or their national codes, as `list_covering_codes` does.

    A record keeps the purpose as it was sent: it may be written in either form, or be no code.
    """
    any_code = any_(bindparam(None, list_written_procedure_codes(procedures), type_=ARRAY(String)))
    return is_procedure_covered(StoredRecord.purpose, any_code)


def _list_search_conditions(search: RecordConditions) -> list[Condition]:
    conditions = [getattr(StoredRecord, name) == value for name, value in search.equal.items()]
    if search.agency is not None:
        conditions.append(StoredRecord.agency.in_(list_written_agency_codes(search.agency)))
    if search.subject is not None:
        conditions.append(StoredRecord.subjects.contains([search.subject]))
    if search.since is not None:
        conditions.append(StoredRecord.at >= search.since)
    if search.until is not None:
        conditions.append(StoredRecord.at < search.until)
    return conditions
