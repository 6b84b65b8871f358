from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response

from identity_service.agencies.use_cases import PendingAct
from identity_service.clients.dependencies import ClientGrantsDep, ConsentDep
from identity_service.clients.jwk import PublicJwk
from identity_service.clients.proposals import PROPOSED, answer_proposal
from identity_service.clients.schemas import (
    ClientFilter,
    ClientIn,
    ClientOut,
    DeactivationOut,
    KeyId,
    KeyOut,
    ProposalOut,
)
from identity_service.clients.use_cases import clients
from identity_service.schemas import ClientId
from shared.codes.time import day_in_viet_nam
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now, Session
from shared.web.etag import ExpectedVersion, set_etag
from shared.web.idempotency import Idempotent, changed_response, created_response, stored_response
from shared.web.pagination import Page, PageParametersQuery

router = Router(prefix="/identity/v1/clients", tags=["clients"])


@router.get("")
async def list_clients(
    page: PageParametersQuery,
    filters: Annotated[ClientFilter, Query()],
    caller: Caller,
    session: Session,
) -> Page[ClientOut]:
    rows, next_cursor = await clients.list_clients(session, caller, filters, page)
    return Page(items=[ClientOut.model_validate(client) for client in rows], next=next_cursor)


@router.get("/{client_id}")
async def read_client(
    client_id: ClientId, caller: Caller, session: Session, response: Response
) -> ClientOut:
    client = await clients.read_client(session, caller, client_id)
    set_etag(response, client.version)
    return ClientOut.model_validate(client)


@router.post("", status_code=HTTPStatus.CREATED, response_model=ClientOut)
async def register_client(
    body: ClientIn, caller: Caller, session: Session, idempotency: Idempotent, now: Now
) -> Response:
    client = await clients.register_client(
        session, caller, body, now=now, today=day_in_viet_nam(now)
    )
    path = f"{router.prefix}/{client.client_id}"
    answer = ClientOut.model_validate(client)
    return created_response(answer, idempotency, path=path, version=client.version)


@router.post(
    "/{client_id}/keys",
    status_code=HTTPStatus.CREATED,
    response_model=KeyOut,
    responses=PROPOSED,
)
async def register_key(
    client_id: ClientId,
    body: PublicJwk,
    consent: ConsentDep,
    session: Session,
    idempotency: Idempotent,
) -> Response:
    """Add a key, by a proof of the client or once a second operator has sent the same request."""
    key = await clients.register_key(session, consent, client_id, body.root)
    if isinstance(key, PendingAct):
        return answer_proposal(idempotency, key)
    return stored_response(KeyOut.model_validate(key), idempotency, HTTPStatus.CREATED)


@router.delete("/{client_id}/keys/{kid}", status_code=HTTPStatus.NO_CONTENT, responses=PROPOSED)
async def remove_key(
    *,
    client_id: ClientId,
    kid: KeyId,
    consent: ConsentDep,
    grants: ClientGrantsDep,
    session: Session,
) -> Response:
    """Remove a key, by a proof of the client or once a second operator has sent the same."""
    pending = await clients.remove_key(session, consent, client_id, kid, grants=grants)
    if pending is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    answer = ProposalOut.model_validate(pending)
    return Response(answer.model_dump_json(), HTTPStatus.ACCEPTED, media_type="application/json")


@router.post("/{client_id}/deactivation", response_model=DeactivationOut, responses=PROPOSED)
async def deactivate_client(
    client_id: ClientId,
    *,
    consent: ConsentDep,
    grants: ClientGrantsDep,
    expected_version: ExpectedVersion,
    session: Session,
    idempotency: Idempotent,
) -> Response:
    """End the access of a client, by its proof or once a second operator has sent the same."""
    done = await clients.deactivate_client(
        session, consent, client_id, grants=grants, expected_version=expected_version
    )
    if isinstance(done, PendingAct):
        return answer_proposal(idempotency, done)
    return changed_response(
        DeactivationOut.from_client(done.client, done.ended),
        idempotency,
        version=done.client.version,
    )


@router.post("/{client_id}/reactivation", response_model=ClientOut)
async def reactivate_client(
    client_id: ClientId,
    *,
    caller: Caller,
    expected_version: ExpectedVersion,
    session: Session,
    idempotency: Idempotent,
    now: Now,
) -> Response:
    """Undo a deactivation; only operators may do it."""
    client = await clients.reactivate_client(
        session, caller, client_id, expected_version=expected_version, now=now
    )
    return changed_response(ClientOut.model_validate(client), idempotency, version=client.version)
