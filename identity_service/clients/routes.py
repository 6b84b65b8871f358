from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response
from pydantic import WithJsonSchema

from identity_service.answers import answer_created
from identity_service.clients import repository as client_store
from identity_service.clients.jwk import PublicJwk
from identity_service.clients.models import Client, Proposal
from identity_service.clients.proposals import (
    PROPOSED,
    answer_changed,
    answer_once,
    answer_proposal,
)
from identity_service.clients.schemas import (
    ClientFilter,
    ClientIn,
    ClientOut,
    KeyId,
    KeyOut,
    ProposalOut,
)
from identity_service.clients.signed_claims import MAX_SIGNED_CHARACTERS
from identity_service.clients.use_cases import clients
from identity_service.clients.use_cases.approvals import Consent
from identity_service.grants.responses import DeactivationOut
from identity_service.schemas import ClientId
from identity_service.settings import Settings
from shared.codes.time import VIET_NAM
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.etag import ExpectedVersion, set_etag
from shared.web.idempotency import OnceOnly
from shared.web.pagination import Page

router = Router(prefix="/identity/v1/clients", tags=["clients"])


@router.get("")
async def list_clients(
    asked: Annotated[ClientFilter, Query()], caller: Caller, session: Session
) -> Page[ClientOut]:
    rows = await client_store.list_clients(session, asked, caller.right.united_agencies)
    page, following = asked.paging.cut(rows, lambda client: (client.client_id,))
    return Page(items=[ClientOut.model_validate(client) for client in page], next=following)


@router.get("/{client_id}", response_model=ClientOut)
async def read_client(
    client_id: ClientId, caller: Caller, session: Session, response: Response
) -> Client:
    client = await clients.read_client(session, caller, client_id)
    set_etag(response, client.version)
    return client


@router.post("", status_code=HTTPStatus.CREATED)
async def register_client(
    body: ClientIn, caller: Caller, session: Session, once: OnceOnly, response: Response
) -> ClientOut:
    today = datetime.now(VIET_NAM).date()
    client = await clients.register_client(session, caller, body, today=today)
    path = f"{router.prefix}/{client.client_id}"
    answer = ClientOut.model_validate(client)
    return await answer_created(answer, path, client.version, once=once, response=response)


ProofHeader = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_SIGNED_CHARACTERS}),
    Header(
        alias="X-Client-Proof",
        description="a JWT of the type client-act+jwt that a key of the client signed; in its"
        " place, a second operator sends the same request",
    ),
]


async def _read_consent(
    request: Request, caller: Caller, x_client_proof: ProofHeader = None
) -> Consent:
    settings: Settings = request.app.state.settings
    return Consent(caller, x_client_proof, settings.token_endpoints, datetime.now(UTC))


ConsentDep = Annotated[Consent, Depends(_read_consent)]


@router.post(
    "/{client_id}/keys",
    status_code=HTTPStatus.CREATED,
    response_model=KeyOut,
    responses=PROPOSED,
)
async def register_key(
    client_id: ClientId, body: PublicJwk, consent: ConsentDep, session: Session, once: OnceOnly
) -> Response:
    """Add a key: signed by an old key of the client, or when a second operator asks for it too."""
    key = await clients.register_key(session, consent, client_id, body.root)
    if isinstance(key, Proposal):
        return await answer_proposal(once, key)
    return await answer_once(once, KeyOut.model_validate(key), HTTPStatus.CREATED)


@router.delete("/{client_id}/keys/{kid}", status_code=HTTPStatus.NO_CONTENT, responses=PROPOSED)
async def remove_key(
    client_id: ClientId, kid: KeyId, consent: ConsentDep, session: Session
) -> Response:
    """Remove a key: signed by a key of the client, or when a second operator asks for it too."""
    proposal = await clients.remove_key(session, consent, client_id, kid)
    if proposal is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    answer = ProposalOut.model_validate(proposal)
    return Response(answer.model_dump_json(), HTTPStatus.ACCEPTED, media_type="application/json")


@router.post("/{client_id}/deactivation", response_model=DeactivationOut, responses=PROPOSED)
async def deactivate_client(
    client_id: ClientId,
    *,
    consent: ConsentDep,
    version: ExpectedVersion,
    session: Session,
    once: OnceOnly,
) -> Response:
    """End the access of a client: signed by its key, or when a second operator asks for it too."""
    done = await clients.deactivate_client(session, consent, client_id, expected_version=version)
    if isinstance(done, Proposal):
        return await answer_proposal(once, done)
    return await answer_changed(once, DeactivationOut.from_client(done.client, done.ended))


@router.post("/{client_id}/reactivation")
async def reactivate_client(
    client_id: ClientId,
    *,
    caller: Caller,
    version: ExpectedVersion,
    session: Session,
    once: OnceOnly,
    response: Response,
) -> ClientOut:
    """Undo a deactivation: for operators."""
    client = await clients.reactivate_client(session, caller, client_id, expected_version=version)
    set_etag(response, client.version)
    answer = ClientOut.model_validate(client)
    return await once.remember(answer, HTTPStatus.OK, {"ETag": response.headers["ETag"]})
