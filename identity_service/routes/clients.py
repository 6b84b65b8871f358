from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response

from identity_service import store
from identity_service.models import Client
from identity_service.schemas import (
    ClientFilter,
    ClientId,
    ClientIn,
    ClientOut,
    KeyId,
    KeyOut,
    PublicJwk,
)
from identity_service.use_cases import clients
from shared.auth import Caller
from shared.clock import VIET_NAM
from shared.database import Session
from shared.idempotency import OnceOnly
from shared.pagination import Page
from shared.preconditions import ExpectedVersion, set_etag
from shared.reading import Router

router = Router(prefix="/identity/v1/clients", tags=["clients"])


@router.get("")
async def list_clients(
    asked: Annotated[ClientFilter, Query()], caller: Caller, session: Session
) -> Page[ClientOut]:
    rows = await store.list_clients(session, asked, caller.right.agencies)
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
    set_etag(response, client.version)
    answer = ClientOut.model_validate(client)
    return await once.remember(answer, HTTPStatus.CREATED, {"ETag": response.headers["ETag"]})


@router.post("/{client_id}/keys", status_code=HTTPStatus.CREATED)
async def register_key(
    client_id: ClientId, body: PublicJwk, caller: Caller, session: Session, once: OnceOnly
) -> KeyOut:
    key = await clients.register_key(session, caller, client_id, body.root)
    return await once.remember(KeyOut.model_validate(key), HTTPStatus.CREATED)


@router.delete("/{client_id}/keys/{kid}", status_code=HTTPStatus.NO_CONTENT)
async def remove_key(client_id: ClientId, kid: KeyId, caller: Caller, session: Session) -> None:
    await clients.remove_key(session, caller, client_id, kid)


@router.post("/{client_id}/deactivation")
async def deactivate_client(
    client_id: ClientId,
    *,
    caller: Caller,
    version: ExpectedVersion,
    session: Session,
    once: OnceOnly,
    response: Response,
) -> ClientOut:
    client = await clients.deactivate_client(session, caller, client_id, expected_version=version)
    set_etag(response, client.version)
    answer = ClientOut.model_validate(client)
    return await once.remember(answer, HTTPStatus.OK, {"ETag": response.headers["ETag"]})
