"""Implement the use cases of the access ledger; all of them only read it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.agencies.use_cases import list_agency_names
from gateway.ledger import repository
from gateway.ledger.chain.chain import build_stored_batch
from gateway.ledger.chain.seals import Bundle, prove_batch_record
from gateway.ledger.models import LedgerSeal, StoredRecord
from gateway.ledger.problems import RecordFieldsNotAllowed, RecordNotFound, RecordUnprovable
from gateway.ledger.repository import RecordConditions, VisibleRecord
from gateway.ledger.schemas import RecordFilter, SealFilter
from shared.codes.time import StoredInstant
from shared.texts.translatable import Translatable
from shared.web.calls.rights import Codes, Limits, Right
from shared.web.pagination import PageParameters

_EQUAL = {"dossier", "client", "operation", "outcome"}


class FoundRecord(NamedTuple):
    """A record, the name of its agency if it is known, and the fields that may be shown."""

    record: StoredRecord
    agency_name: str | None
    fields: Codes


async def list_records(
    session: AsyncSession,
    filters: RecordFilter,
    page: PageParameters,
    right: Right,
) -> tuple[list[FoundRecord], str | None]:
    """Return a page of the records that the right shows, newest first, and the next cursor."""
    keyset = filters.read_keyset(page)
    after = keyset.key(StoredInstant, str, int, int)
    searching = _require_searchable_limits(right, filters.list_read_members())
    conditions = RecordConditions(
        equal=filters.model_dump(include=_EQUAL, exclude_none=True),
        agency=filters.agency,
        subject=filters.subject,
        since=filters.since,
        until=filters.until,
    )
    visible = await repository.list_records(
        session, searching, conditions, limit=keyset.limit + 1, after=after
    )
    rows, next_cursor = keyset.cut(visible, lambda row: repository.record_order_key(row.record))
    return await _add_agency_names(session, rows), next_cursor


def _require_searchable_limits(right: Right, members: Collection[str]) -> Sequence[Limits]:
    """Return the alternatives that show these members, because a search reveals their values."""
    searching = [limits for limits in right.alternatives if limits.covers_fields(members)]
    if not searching:
        hidden = set(members).difference(right.fields or ())
        raise RecordFieldsNotAllowed(
            Translatable("Remove the filters on fields that your right does not show."),
            fields=sorted(hidden),
        )
    return searching


async def read_record(session: AsyncSession, record_id: UUID, right: Right) -> FoundRecord:
    """Return the record; raise RecordNotFound where the right shows none."""
    return await _read_visible_record(session, record_id, right.alternatives)


async def prove_record(
    session: AsyncSession,
    record_id: UUID,
    right: Right,
    *,
    keys: Mapping[str, Ed25519PublicKey],
) -> tuple[FoundRecord, Bundle]:
    """Return the record and its proof; raise RecordUnprovable where its batch was changed."""
    proving = [limits for limits in right.alternatives if limits.fields is None]
    if not proving:
        raise RecordFieldsNotAllowed(
            Translatable("A proof shows the whole record: ask for a right to all fields.")
        )
    visible = await _read_visible_record(session, record_id, proving)
    stored = visible.record
    seal = await repository.read_seal(session, stored.chain, stored.number)
    if seal is None:
        raise RecordUnprovable(seal=stored.number, chain=stored.chain)
    records = await repository.list_sealed_records(session, seal)
    batch = build_stored_batch(seal.header, seal.signature, seal.leaves, records)
    header = batch.read_header()
    key = keys.get(header.key_id)
    if key is None or len(batch.leaves) != header.count or len(batch.records) != header.count:
        raise RecordUnprovable(seal=stored.number, chain=stored.chain)
    return visible, prove_batch_record(batch, stored.index, key)


async def list_seals(
    session: AsyncSession, filters: SealFilter, page: PageParameters
) -> tuple[list[LedgerSeal], str | None]:
    """Return a page of the seals in the order of each chain, and the cursor of the next one."""
    keyset = filters.read_keyset(page)
    after = keyset.key(str, int)
    seals = await repository.list_seals(session, filters.chain, limit=keyset.limit + 1, after=after)
    return keyset.cut(seals, lambda seal: (seal.chain, seal.number))


async def _read_visible_record(
    session: AsyncSession, record_id: UUID, alternatives: Iterable[Limits]
) -> FoundRecord:
    visible = await repository.find_record(session, alternatives, record_id)
    if visible is None:
        raise RecordNotFound
    [named] = await _add_agency_names(session, [visible])
    return named


async def _add_agency_names(
    session: AsyncSession, visible: Sequence[VisibleRecord]
) -> list[FoundRecord]:
    names = await list_agency_names(session, [record.agency for record, _ in visible])
    return [
        FoundRecord(record, names.get(record.agency or ""), fields) for record, fields in visible
    ]
