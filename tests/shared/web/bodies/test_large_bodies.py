"""A body is read with bounded work: few faults named, few values, few large ones at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.datastructures import Headers

from shared.web import problems
from shared.web.bodies import large_bodies
from shared.web.bodies.large_bodies import (
    LARGE_BYTES,
    MAX_BODY_BYTES,
    LargeBodies,
    LargeBodiesUnderWay,
    OwnLargeBodiesUnderWay,
    measure_large_body,
)
from shared.web.bodies.strict_json import MAX_MEMBERS, MAX_VALUES
from shared.web.bodies.strict_parsing import Router, StrictModel
from shared.web.problems import Problem

JSON = {"Content-Type": "application/json"}


class KeptOut(Problem):
    status = HTTPStatus.FORBIDDEN
    title = "Kept out"


async def _key(x_key: str = "") -> None:
    if x_key:
        raise KeptOut


class Part(StrictModel):
    name: str = ""


class Whole(StrictModel):
    parts: list[Part] = Field(default_factory=list)
    text: str = ""


router = Router()


@router.post("/wholes")
async def take(body: Whole, _: Annotated[None, Depends(_key)]) -> int:
    return len(body.parts)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    problems.install_handlers(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


def padded(body: dict[str, Any], *, large: bool) -> bytes:
    """White space makes a body large and changes nothing else."""
    return json.dumps(body).encode() + b" " * (LARGE_BYTES if large else 0)


SIZES = pytest.mark.parametrize("large", [False, True], ids=["small", "large"])


@SIZES
async def test_good_body_is_taken(client: httpx.AsyncClient, *, large: bool) -> None:
    body = padded({"parts": [{"name": "a"}] * 3}, large=large)
    answer = await client.post("/wholes", content=body, headers=JSON)
    assert (answer.status_code, answer.json()) == (200, 3)


@SIZES
async def test_twenty_faults_are_named_and_the_others_counted(
    client: httpx.AsyncClient, *, large: bool
) -> None:
    body = padded({"parts": [{"name": 1}] * 50, "text": 1}, large=large)
    answer = await client.post("/wholes", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["more"]) == (422, 31)
    assert len(answer.json()["errors"]) == 20
    assert answer.json()["errors"][0]["at"] == "body.parts.0.name"


@SIZES
async def test_few_faults_are_all_named(client: httpx.AsyncClient, *, large: bool) -> None:
    body = padded({"text": 1, "unknown": 1}, large=large)
    problem = (await client.post("/wholes", content=body, headers=JSON)).json()
    assert [each["at"] for each in problem["errors"]] == ["body.text", "body.(unknown field)"]
    assert "more" not in problem


@SIZES
async def test_caller_without_a_right_learns_nothing_of_its_faults(
    client: httpx.AsyncClient, *, large: bool
) -> None:
    body = padded({"text": 1}, large=large)
    answer = await client.post("/wholes?x_key=wrong", content=body, headers=JSON)
    assert answer.status_code == 403


@SIZES
async def test_unreadable_body_is_refused(client: httpx.AsyncClient, *, large: bool) -> None:
    answer = await client.post("/wholes", content=padded({}, large=large) + b"}", headers=JSON)
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "body")


async def test_large_body_that_is_no_json_is_told_what_to_send(client: httpx.AsyncClient) -> None:
    answer = await client.post("/wholes", content=padded({}, large=True))
    assert "Content-Type: application/json" in answer.json()["detail"]


TOO_MUCH = {
    "values of a list": b"[" + b"0," * MAX_VALUES + b"0]",
    "texts of a list": b"[" + b'"",' * MAX_VALUES + b'""]',
    "texts that nothing parts": b'""' * (4 * MAX_VALUES + 2) + b"," * MAX_VALUES,
    "objects of a list": b"[" + b'{"a":0},' * MAX_VALUES + b"0]",
    "members": json.dumps({f"m{n}": 0 for n in range(MAX_MEMBERS + 1)}).encode(),
    "nesting": b"[" * 100_000 + b"]" * 100_000,
    "nesting within few values": b'{"a":' * 10_000 + b"0" + b"}" * 10_000,
}


@pytest.mark.parametrize("body", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_body_of_too_much_is_refused_whole(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/wholes", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert [each["at"] for each in answer.json()["errors"]] == ["body"]


@pytest.mark.parametrize("text", ["," * 2 * MAX_VALUES, '",' * MAX_VALUES, "\\," * MAX_VALUES])
async def test_what_stands_in_a_text_does_not_count(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.post("/wholes", json={"text": text})
    assert answer.status_code == 200


async def test_body_that_is_announced_too_large_is_not_read(client: httpx.AsyncClient) -> None:
    headers = JSON | {"Content-Length": str(MAX_BODY_BYTES + 1)}
    answer = await client.post("/wholes", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")


async def test_body_that_turns_out_too_large_is_not_kept(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b" " * MAX_BODY_BYTES

    answer = await client.post("/wholes", content=pieces(), headers=JSON)
    assert answer.status_code == 413


CHUNKED = {"transfer-encoding": "chunked"}
SIZED: list[tuple[dict[str, str], int]] = [
    ({}, 0),
    ({"content-length": str(LARGE_BYTES)}, 0),
    ({"content-length": str(LARGE_BYTES + 1)}, LARGE_BYTES + 1),
    ({"content-length": str(LARGE_BYTES), "x-body-length": str(MAX_BODY_BYTES)}, 0),
    (CHUNKED, MAX_BODY_BYTES),
    (CHUNKED | {"x-body-length": "800000"}, 800_000),
    (CHUNKED | {"x-body-length": "1"}, LARGE_BYTES),
    (CHUNKED | {"x-body-length": "-1"}, MAX_BODY_BYTES),
    (CHUNKED | {"x-body-length": "\u0661"}, MAX_BODY_BYTES),
]


@pytest.mark.parametrize(("headers", "size"), SIZED)
def test_room_is_made_for_the_announced_length(headers: dict[str, str], size: int) -> None:
    raw = [(name.encode(), value.encode("utf-8")) for name, value in headers.items()]
    assert measure_large_body(Headers(raw=raw)) == size


async def test_body_that_is_longer_than_it_was_announced_is_not_kept(
    client: httpx.AsyncClient,
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b" " * LARGE_BYTES

    headers = JSON | {"X-Body-Length": str(2 * LARGE_BYTES)}
    answer = await client.post("/wholes", content=pieces(), headers=headers)
    assert answer.status_code == 413


@given(sizes=st.lists(st.integers(LARGE_BYTES, MAX_BODY_BYTES), max_size=300))
async def test_whatever_one_client_holds_the_largest_of_another_has_room(sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_bodies, "ROOM_WAIT_S", 0.0)
        bodies = LargeBodies()
        async with AsyncExitStack() as held:
            for size in sizes:
                with suppress(OwnLargeBodiesUnderWay):
                    await held.enter_async_context(bodies.room_for(size, "greedy"))
            await _enter(bodies, MAX_BODY_BYTES, "other")
        assert bodies.held == 0


async def test_large_bodies_wait_for_room_and_then_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bodies = LargeBodies()
    async with (
        bodies.room_for(MAX_BODY_BYTES, "one"),
        bodies.room_for(MAX_BODY_BYTES, "other"),
    ):
        waiting = asyncio.create_task(_enter(bodies, 1, "third"))
        own = asyncio.create_task(_enter(bodies, MAX_BODY_BYTES, "one"))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert not own.done()
        monkeypatch.setattr(large_bodies, "ROOM_WAIT_S", 0.0)
        with pytest.raises(LargeBodiesUnderWay):
            await _enter(bodies, 1, "third")
    await waiting
    await own


async def test_client_that_has_its_share_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "ROOM_WAIT_S", 0.0)
    bodies = LargeBodies()
    async with bodies.room_for(MAX_BODY_BYTES, "one"):
        with pytest.raises(OwnLargeBodiesUnderWay) as refused:
            await _enter(bodies, LARGE_BYTES, "one")
        await _enter(bodies, LARGE_BYTES, "other")
    assert refused.value.status == 429
    assert dict(refused.value.headers or {}) == {"Retry-After": "5"}
    await _enter(bodies, MAX_BODY_BYTES, "one")


async def _enter(bodies: LargeBodies, size: int, client: str) -> None:
    async with bodies.room_for(size, client):
        pass
