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
    """List client systems.

    Return the registered systems by id, with their public keys, as far as the right reaches their
    agencies.
    """
    rows, next_cursor = await clients.list_clients(session, caller, filters, page)
    return Page(items=[ClientOut.model_validate(client) for client in rows], next=next_cursor)


@router.get("/{client_id}")
async def read_client(
    client_id: ClientId, caller: Caller, session: Session, response: Response
) -> ClientOut:
    """Read a client system.

    Return one system with its public keys. The `ETag` of the answer is needed to deactivate or
    reactivate it.
    """
    client = await clients.read_client(session, caller, client_id)
    set_etag(response, client.version)
    return ClientOut.model_validate(client)


@router.post("", status_code=HTTPStatus.CREATED, response_model=ClientOut)
async def register_client(
    body: ClientIn, caller: Caller, session: Session, idempotency: Idempotent, now: Now
) -> Response:
    """Register a client system.

    The new system can do nothing until it has a key and a grant. Only an operator registers an
    operator (403 `operators-only`). The agency must be open today (422 `agency-closed`).
    """
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
    """Add a public key to a client system.

    A client adds its own key with `X-Client-Proof`, a JWT that one of its keys signed. Without that
    header two operators are needed: the request of the first is answered 202, and the key is added
    when a second operator sends the same request.
    """
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
    """Remove a public key from a client system.

    A client removes its own key with `X-Client-Proof`, a JWT that one of its keys signed. Without
    that header two operators are needed: the request of the first is answered 202, and the key is
    removed when a second operator sends the same request. Tokens that the key obtained stay valid
    until they expire. The last operator that can sign on keeps its key (409 `last-operator`).
    """
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
    """Deactivate a client system.

    The client gets no more tokens, its calls are refused, and the grants that it gave to others end
    (`ended_grants`). A client deactivates itself with `X-Client-Proof`. Without that header two
    operators are needed: the request of the first is answered 202, and the act is done when a
    second operator sends the same request.
    """
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
    """Reactivate a client system.

    Undo a deactivation. The client has its keys and its own grants again; the grants that it gave
    to others stay ended. Only an operator may do it (403 `operators-only`).
    """
    client = await clients.reactivate_client(
        session, caller, client_id, expected_version=expected_version, now=now
    )
    return changed_response(ClientOut.model_validate(client), idempotency, version=client.version)
