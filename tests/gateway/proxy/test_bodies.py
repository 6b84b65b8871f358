"""A client that sends a large body, however slowly, keeps no room from the bodies of others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

import pytest
from aiohttp import ClientSession
from fastapi import FastAPI

from gateway.operations.model import KIB, MIB
from gateway.proxy import bodies
from shared.web import problems
from shared.web.bodies.large_bodies import LargeBodies, find_large_bodies
from shared.web.bodies.strict_parsing import Router, StrictModel
from shared.web.calls.call_guard import CallGuard
from shared.web.calls.call_mac import CallVerifier
from tests.support.fake_upstream import AS_CLIENT, Behind, Door, door_before
from tests.support.serving import serving
from tests.support.waiting import eventually

KEY = b"k" * 64
PUSH = "/sync/v1/dossiers"
LARGEST = 8 * MIB
FRAMINGS = {
    "the largest by its length": f"Content-Length: {LARGEST}",
    "one of unknown length": "Transfer-Encoding: chunked",
}


class Rows(StrictModel):
    rows: list[str]


router = Router()


@router.post(PUSH)
async def push(body: Rows) -> int:
    return len(body.rows)


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI()
    made.include_router(router)
    problems.install_handlers(made)
    return made


@pytest.fixture
def large(app: FastAPI) -> LargeBodies:
    return find_large_bodies(app)


@pytest.fixture
async def door(app: FastAPI) -> AsyncIterator[Door]:
    guarded = CallGuard(app, calls=CallVerifier(KEY), open_paths=())
    async with serving(guarded) as port:
        behind = Behind(address=f"http://127.0.0.1:{port}")
        async with door_before(behind, call_key=KEY) as opened:
            yield opened


@pytest.fixture(autouse=True)
def patient_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that keeps above the lowest rate is not cut off; here it need not send at all."""
    monkeypatch.setattr(bodies, "_SLOWEST_PER_S", 0)


@asynccontextmanager
async def sending(door: Door, framing: str, *, client: str = "slow") -> AsyncIterator[None]:
    """Send the head of a push and as much of its body as brings it to the service."""
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(f"POST {PUSH} HTTP/1.1\r\nHost: a\r\n{AS_CLIENT}: {client}\r\n".encode())
    writer.write(b"Content-Type: application/json\r\n")
    begin = b" " * 70 * KIB
    piece = b"%x\r\n%b\r\n" % (len(begin), begin) if "chunked" in framing else begin
    writer.write(framing.encode() + b"\r\n\r\n" + piece)
    try:
        yield
    finally:
        writer.transport.abort()


def full(size: int) -> bytes:
    return b'{"rows":[]}'.ljust(size)


async def post(door: Door, caller: ClientSession, body: bytes, client: str) -> tuple[int, str]:
    headers = {"Content-Type": "application/json", AS_CLIENT: client}
    async with caller.post(f"{door.url}{PUSH}", data=BytesIO(body), headers=headers) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
@pytest.mark.parametrize("size", [800 * KIB, LARGEST])
async def test_slow_push_of_one_client_keeps_no_room_from_another(
    door: Door, large: LargeBodies, caller: ClientSession, framing: str, size: int
) -> None:
    async with sending(door, framing), sending(door, framing):
        await eventually(lambda: large.held)
        assert await post(door, caller, full(size), "other") == (200, "0")
    await eventually(lambda: large.held == 0)


async def test_streamed_body_takes_room_by_its_announced_length(
    door: Door, large: LargeBodies
) -> None:
    async with sending(door, f"Content-Length: {800 * KIB}"):
        await eventually(lambda: large.held)
        assert large.held == 800 * KIB
    async with sending(door, "Transfer-Encoding: chunked"):
        await eventually(lambda: large.held == LARGEST)
