"""The access ledger as its readers see it; to read it is an access that is recorded too."""

from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from gateway.ledger import repository as store
from gateway.ledger.chain.chain import stored_batch
from gateway.ledger.chain.seals import Bundle, prove
from gateway.ledger.schemas import RecordFilter, RecordOut, SealOut
from shared.codes.texts import ONE_LINE, single_line
from shared.codes.time import StoredInstant
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller, NotAllowed
from shared.web.calls.rights import Limits, Right
from shared.web.pagination import Page, Paging
from shared.web.problems import Problem

NOBODY = "-"
ChainName = Annotated[str, single_line(100), ONE_LINE, Query(examples=["gateway-1"])]

router = Router(prefix="/ledger/v1", tags=["access ledger"])


class RecordNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such access record"
    type = "/problems/record-not-found"
    advice = "Look at the id; what lies outside the right does not exist for it."


class RecordUnprovable(Problem):
    status = HTTPStatus.CONFLICT
    title = "The batch of this record is not what was sealed"
    type = "/problems/record-unprovable"
    advice = "Tell whoever runs the mesh: python -m gateway.ledger.commands says what was changed."


class FieldsNotAllowed(NotAllowed):
    title = "The right does not show these fields of a record"
    type = "/problems/fields-not-allowed"


@router.get("/records", response_model_exclude_unset=True)
async def list_records(
    session: Session,
    caller: Caller,
    wanted: Annotated[RecordFilter, Query()],
    paging: Paging,
    response: Response,
) -> Page[RecordOut]:
    """The newest first. A right shows the calls of its agencies' systems, for its procedures.

    A limit that a grant leaves out means all: a right without `agencies` shows every agency's
    records, as an auditor needs. An agency reads its own with a grant to `agencies` of its own.
    """
    after = paging.key(StoredInstant, str, int, int)
    searching = _searching(caller.right, wanted.members())
    rows = await store.list_records(session, searching, wanted, limit=paging.limit + 1, after=after)
    page, following = paging.cut(rows, lambda row: store.record_key(row.record))
    read = wanted.members().union(*(RecordOut.shown_members(row.shown) for row in page))
    # Nobody is looked at by name unless asked for: hashes alone tell the reader no person.
    _name_search(response, subjects=[wanted.subject], dossier=wanted.dossier, members=read)
    return Page(items=[RecordOut.of(*row) for row in page], next=following)


def _searching(right: Right, members: Collection[str]) -> Sequence[Limits]:
    """Return the alternatives that show these members, because a search tells their values."""
    searching = [limits for limits in right.alternatives if limits.covers_fields(members)]
    if not searching:
        hidden = set(members).difference(right.fields or ())
        raise FieldsNotAllowed("Do not look for what you may not see.", fields=sorted(hidden))
    return searching


@router.get("/records/{record_id}", response_model_exclude_unset=True)
async def read_record(
    session: Session, caller: Caller, record_id: UUID, response: Response
) -> RecordOut:
    return RecordOut.of(*await _find(session, caller.right.alternatives, record_id, response))


@router.get("/records/{record_id}/proof")
async def prove_record(
    session: Session, caller: Caller, record_id: UUID, request: Request, response: Response
) -> Bundle:
    """What proves the record offline: see docs/verify-a-record.md."""
    proving = [limits for limits in caller.right.alternatives if limits.fields is None]
    if not proving:
        raise FieldsNotAllowed("A proof shows the whole record: ask for a right to all fields.")
    stored = (await _find(session, proving, record_id, response)).record
    seal = await store.read_seal(session, stored.chain, stored.number)
    if seal is None:
        raise RecordUnprovable(seal=stored.number, chain=stored.chain)
    records = await store.records_of_seal(session, seal)
    batch = stored_batch(seal.header, seal.signature, seal.leaves, records)
    header = batch.read_header()
    key = request.app.state.ledger_keys.get(header.key_id)
    if key is None or len(batch.leaves) != header.count or len(batch.records) != header.count:
        raise RecordUnprovable(seal=stored.number, chain=stored.chain)
    return prove(batch, stored.index, key)


@router.get("/seals")
async def list_seals(
    session: Session, _: Caller, paging: Paging, chain: ChainName | None = None
) -> Page[SealOut]:
    """In the order of their numbers, so that a chain can be followed from header to header."""
    after = paging.key(str, int)
    rows = await store.list_seals(session, chain, limit=paging.limit + 1, after=after)
    page, following = paging.cut(rows, lambda seal: (seal.chain, seal.number))
    items = [SealOut.of(seal, b64encode(seal.signature).decode()) for seal in page]
    return Page(items=items, next=following)


async def _find(
    session: Session, alternatives: Sequence[Limits], record_id: UUID, response: Response
) -> store.FoundRecord:
    found = await store.find_record(session, alternatives, record_id)
    if found is None:
        raise RecordNotFound
    record, members = found.record, RecordOut.shown_members(found.shown)
    _name_search(response, subjects=record.subjects, dossier=record.dossier, members=members)
    return found


def _name_search(
    response: Response,
    *,
    subjects: Iterable[str | None],
    dossier: str | None,
    members: Iterable[str],
) -> None:
    """Name for the record of this access the persons, the dossier and the members looked at."""
    response.headers["X-Subject"] = ",".join(filter(None, subjects)) or NOBODY
    response.headers["X-Fields"] = ",".join(sorted(members)) or NOBODY
    if dossier:
        response.headers["X-Dossier"] = dossier
