"""A write that is sent twice takes effect once, and both times gets the same answer."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import text

from shared.database.session import SessionFactory
from shared.runtime.app import create_service
from shared.settings import ServiceSettings
from shared.texts.translatable import Translatable
from shared.web.dependencies import Session
from shared.web.etag import set_etag
from shared.web.idempotency import Idempotent, delete_expired_keys
from shared.web.problems import Invalid
from tests.shared.event_flow import SERVICE, scalar
from tests.support.factories import CALL_KEY, TestAuthority
from tests.support.serving import calling

PATH = "/dossier/v1/notes"
OPERATION = f"POST {PATH}"

router = APIRouter()


class Note(BaseModel):
    text: str


class NoteOut(BaseModel):
    id: int
    text: str = Field(serialization_alias="content")


@router.post(PATH, status_code=201)
async def write(
    body: Note, session: Session, idempotency: Idempotent, response: Response
) -> NoteOut:
    if body.text == "too early" and await session.scalar(text("SELECT count(*) = 0 FROM effect")):
        raise Invalid(Translatable("Not yet."))
    query = text("INSERT INTO effect (key, version) VALUES (:key, 7) RETURNING at")
    number = await session.scalar(query, {"key": body.text})
    set_etag(response, 7)
    return idempotency.store_response(
        NoteOut(id=number, text=body.text), HTTPStatus.CREATED, {"ETag": '"7"'}
    )


@pytest.fixture
async def client(
    settings: ServiceSettings, sessions: SessionFactory, authority: TestAuthority
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_service(
        settings, title="Test", prefix="/dossier/v1", routers=[router], call_key=CALL_KEY
    )
    async with calling(app, authority) as client:
        yield client


@pytest.fixture
def headers(authority: TestAuthority) -> dict[str, str]:
    return authority.headers(OPERATION, SERVICE) | {"Idempotency-Key": str(uuid4())}


async def effects(sessions: SessionFactory) -> int:
    count: int = await scalar(sessions, "SELECT count(*) FROM effect")
    return count


async def test_repeat_gets_the_first_answer_and_has_no_effect(
    client: httpx.AsyncClient, sessions: SessionFactory, headers: dict[str, str]
) -> None:
    first, again = [
        await client.post(PATH, json={"text": "Giấy khai sinh"}, headers=headers) for _ in range(2)
    ]
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() == {"id": 1, "content": "Giấy khai sinh"}
    assert first.headers["ETag"] == again.headers["ETag"] == '"7"'
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await effects(sessions) == 1


async def test_request_is_remembered_by_a_digest_that_the_service_alone_can_make(
    settings: ServiceSettings,
    sessions: SessionFactory,
    authority: TestAuthority,
    headers: dict[str, str],
) -> None:
    statuses = []
    for key in ("one", "one", "another"):
        keyed = settings.model_copy(update={"digest_key": SecretStr(key)})
        app = create_service(
            keyed, title="Test", prefix="/dossier/v1", routers=[router], call_key=CALL_KEY
        )
        async with calling(app, authority) as client:
            answer = await client.post(PATH, json={"text": "001090000001"}, headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [201, 201, 422]
    assert await effects(sessions) == 1


@pytest.mark.parametrize("change", ["body", "query", "precondition"])
async def test_key_of_another_request_is_refused(
    client: httpx.AsyncClient, sessions: SessionFactory, headers: dict[str, str], change: str
) -> None:
    await client.post(PATH, json={"text": "first"}, headers=headers)
    other = await client.post(
        f"{PATH}?notify=true" if change == "query" else PATH,
        json={"text": "second" if change == "body" else "first"},
        headers=headers | ({"If-Match": '"1"'} if change == "precondition" else {}),
    )
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert await effects(sessions) == 1


@pytest.mark.parametrize(
    "narrower", [{"fields": ["name"]}, {"agencies": ["H26.1"]}, {"procedures": ["1.001193"]}]
)
async def test_answer_given_under_a_wider_right_is_not_given_again(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    authority: TestAuthority,
    narrower: dict[str, Any],
) -> None:
    assert (await client.post(PATH, json={"text": "seen"}, headers=headers)).status_code == 201
    shrunk = authority.headers(OPERATION, SERVICE, **narrower)
    key = {"Idempotency-Key": headers["Idempotency-Key"]}
    again = await client.post(PATH, json={"text": "seen"}, headers=shrunk | key)
    assert again.status_code == 422
    assert "seen" not in again.text


@pytest.mark.parametrize(
    "other",
    [
        {"officer": "officer-2"},
        {"officer": None},
        {"purpose": "2.000815"},
        {"purpose": None},
        {"dossier": "H26-261102-0001"},
    ],
    ids=str,
)
async def test_repeat_by_another_officer_or_for_another_reason_is_refused(
    client: httpx.AsyncClient,
    sessions: SessionFactory,
    headers: dict[str, str],
    authority: TestAuthority,
    other: dict[str, Any],
) -> None:
    assert (await client.post(PATH, json={"text": "mine"}, headers=headers)).status_code == 201
    explained = authority.headers(OPERATION, SERVICE, **other)
    key = {"Idempotency-Key": headers["Idempotency-Key"]}
    again = await client.post(PATH, json={"text": "mine"}, headers=explained | key)
    assert (again.status_code, again.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await effects(sessions) == 1


async def test_two_at_the_same_time_have_one_effect_and_one_answer(
    client: httpx.AsyncClient, sessions: SessionFactory, headers: dict[str, str]
) -> None:
    answers = await asyncio.gather(
        *(client.post(PATH, json={"text": "twice"}, headers=headers) for _ in range(6))
    )
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (201, '{"id":1,"content":"twice"}')
    }
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 5
    assert await effects(sessions) == 1


async def test_refused_first_attempt_can_be_made_again(
    client: httpx.AsyncClient,
    sessions: SessionFactory,
    headers: dict[str, str],
    authority: TestAuthority,
) -> None:
    body = {"text": "too early"}
    assert (await client.post(PATH, json=body, headers=headers)).status_code == 422
    other = authority.headers(OPERATION, SERVICE)
    await client.post(PATH, json={"text": "first"}, headers=other)
    again = await client.post(PATH, json=body, headers=headers)
    assert again.status_code == 201
    assert "Idempotent-Replayed" not in again.headers


async def test_another_clients_same_key_is_another_key(
    client: httpx.AsyncClient,
    sessions: SessionFactory,
    headers: dict[str, str],
    authority: TestAuthority,
) -> None:
    await client.post(PATH, json={"text": "mine"}, headers=headers)
    theirs = authority.headers(OPERATION, SERVICE, client="onestop-h29", agency="H29")
    key = {"Idempotency-Key": headers["Idempotency-Key"]}
    answer = await client.post(PATH, json={"text": "theirs"}, headers=theirs | key)
    assert (answer.status_code, answer.json()["content"]) == (201, "theirs")
    assert await effects(sessions) == 2


async def test_without_a_key_nothing_is_remembered(
    client: httpx.AsyncClient, sessions: SessionFactory, authority: TestAuthority
) -> None:
    headers = authority.headers(OPERATION, SERVICE)
    for _ in range(2):
        await client.post(PATH, json={"text": "again"}, headers=headers)
    assert await effects(sessions) == 2
    assert await scalar(sessions, "SELECT count(*) FROM idempotency_key") == 0


@pytest.mark.parametrize("key", ["", "k" * 201])
async def test_key_of_no_use_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], key: str
) -> None:
    answer = await client.post(PATH, json={"text": "x"}, headers=headers | {"Idempotency-Key": key})
    assert answer.status_code == 400


async def test_caller_without_a_right_learns_nothing_of_a_key(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await client.post(PATH, json={"text": "mine"}, headers=headers)
    key = {"Idempotency-Key": headers["Idempotency-Key"]}
    assert (await client.post(PATH, json={"text": "mine"}, headers=key)).status_code == 401


async def test_keys_are_forgotten_after_a_day_slice_by_slice(
    client: httpx.AsyncClient,
    sessions: SessionFactory,
    authority: TestAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.database.bulk.SLICE_ROWS", 2)
    for age in ("23 hours", "25 hours", "26 hours", "27 hours", "28 hours", "29 hours"):
        key = {"Idempotency-Key": age}
        sent = authority.headers(OPERATION, SERVICE) | key
        await client.post(PATH, json={"text": age}, headers=sent)
        async with sessions.begin() as session:
            await session.execute(
                text(f"UPDATE idempotency_key SET at = now() - interval '{age}' WHERE key = :key"),
                {"key": age},
            )
    async with sessions.begin() as session:
        await delete_expired_keys(session)
    assert await scalar(sessions, "SELECT array_agg(key) FROM idempotency_key") == ["23 hours"]
