"""Serve the access ledger to its readers; each read is recorded as an access too."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from gateway.ledger import use_cases
from gateway.ledger.chain.seals import Bundle
from gateway.ledger.schemas import RecordFilter, RecordOut, SealFilter, SealOut
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.calls.internal_headers import write_ledger_headers
from shared.web.dependencies import Session
from shared.web.pagination import Page, PageParametersQuery

router = Router(prefix="/ledger/v1", tags=["access ledger"])


@router.get("/records", response_model_exclude_unset=True)
async def list_records(
    session: Session,
    caller: Caller,
    filters: Annotated[RecordFilter, Query()],
    page: PageParametersQuery,
    response: Response,
) -> Page[RecordOut]:
    """List access records, newest first.

    A right shows the calls of its agencies' systems, for its procedures. A limit that a grant omits
    means all: a right without `agencies` shows every agency's records, as an auditor needs. An
    agency reads its own with a grant to `agencies` of its own. A filter by a field that the right
    leaves out is refused (403 `fields-not-allowed`).
    """
    rows, next_cursor = await use_cases.list_records(session, filters, page, caller.right)
    read = filters.list_read_members().union(
        *(RecordOut.list_shown_members(row.fields) for row in rows)
    )
    # Only a searched person is a subject: the hashes of a list identify no person to the reader.
    _name_accessed_data(response, subjects=[filters.subject], dossier=filters.dossier, members=read)
    return Page(items=[RecordOut.from_stored_record(*row) for row in rows], next=next_cursor)


@router.get("/records/{record_id}", response_model_exclude_unset=True)
async def read_record(
    session: Session, caller: Caller, record_id: UUID, response: Response
) -> RecordOut:
    """Read one access record.

    The answer has the fields that the right names. A record that lies outside the right is not
    found (404 `record-not-found`).
    """
    record = await use_cases.read_record(session, record_id, caller.right)
    _name_accessed_record(response, record)
    return RecordOut.from_stored_record(*record)


@router.get("/records/{record_id}/proof")
async def prove_record(
    session: Session, caller: Caller, record_id: UUID, request: Request, response: Response
) -> Bundle:
    """Read the proof of an access record.

    Return the bundle that verifies the record offline, as docs/en/how-to/prove-an-access.md shows.
    It needs a right to all fields of records (403 `fields-not-allowed`). A batch that was changed
    after its seal has no proof (409 `record-unprovable`).
    """
    keys = request.app.state.ledger_keys
    record, proof = await use_cases.prove_record(session, record_id, caller.right, keys=keys)
    _name_accessed_record(response, record)
    return proof


@router.get("/seals")
async def list_seals(
    session: Session,
    _: Caller,
    filters: Annotated[SealFilter, Query()],
    page: PageParametersQuery,
) -> Page[SealOut]:
    """List the seals of the access ledger.

    Return the seals by number, so that a chain can be followed from header to header: each header
    holds the SHA-256 of the one before it. Seals hold no data of persons.
    """
    seals, next_cursor = await use_cases.list_seals(session, filters, page)
    items = [SealOut.from_stored_seal(seal, b64encode(seal.signature).decode()) for seal in seals]
    return Page(items=items, next=next_cursor)


def _name_accessed_record(response: Response, access: use_cases.FoundRecord) -> None:
    record, members = access.record, RecordOut.list_shown_members(access.fields)
    _name_accessed_data(response, subjects=record.subjects, dossier=record.dossier, members=members)


def _name_accessed_data(
    response: Response,
    *,
    subjects: Iterable[str | None],
    dossier: str | None,
    members: Iterable[str],
) -> None:
    """Name the persons, the dossier and the members that the caller read, for the record."""
    response.headers.update(write_ledger_headers(subjects, sorted(members), dossier=dossier))
