"""The gateway proves each call to a service that refuses all others, and is not refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

import pytest
from aiohttp import ClientSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.ledger.records import AccessOutcome
from gateway.operations.model import KIB, MIB
from shared.web.calls.call_guard import CallGuard
from shared.web.calls.call_mac import HEADER, CallVerifier
from tests.gateway.proxy.test_upstream import silent_when_asked_again
from tests.support.fake_upstream import (
    NAMED,
    Answering,
    Behind,
    Door,
    answer,
    breaking,
    door_before,
    hang,
    read_request,
)
from tests.support.serving import serving

KEY, OTHER_KEY = b"k" * 64, b"o" * 64
LIST, SYNC = "/dossier/v1/dossiers", "/sync/v1/dossiers"


@dataclass
class Guarded:
    """One process of a service; `restart` makes another of it, which remembers nothing."""

    calls: CallVerifier = field(default_factory=lambda: CallVerifier(KEY))
    bodies: list[bytes] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    refused: int = 0

    def restart(self) -> None:
        self.calls = CallVerifier(KEY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reached = len(self.bodies)
        await CallGuard(self._answer, calls=self.calls, open_paths=())(scope, receive, send)
        self.refused += len(self.bodies) == reached

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await Request(scope, receive).body())
        self.ids.append(dict(scope["headers"])[HEADER].split()[0])
        await Response(b"{}")(scope, receive, send)


@pytest.fixture
def service() -> Guarded:
    return Guarded()


@asynccontextmanager
async def before(*services: Guarded, key: bytes = KEY) -> AsyncIterator[Door]:
    """A gateway before one address; each connection to it goes to the next of `services`."""
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(serving(each)) for each in services]
        turns = cycle(ports)

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner = await asyncio.open_connection("127.0.0.1", next(turns))
            await asyncio.gather(pump(reader, inner[1]), pump(inner[0], writer))

        server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        door = await stack.enter_async_context(door_before(Behind(address=address), call_key=key))
        yield door
        server.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(2**16):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def stream(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def read(door: Door, caller: ClientSession) -> int:
    async with caller.get(f"{door.url}{LIST}") as response:
        await response.read()
        return response.status


async def post(door: Door, caller: ClientSession, body: bytes | AsyncIterator[bytes]) -> int:
    async with caller.post(f"{door.url}{SYNC}", data=body) as response:
        await response.read()
        return response.status


SIZES = {"small": 1, "gathered": 64 * KIB, "streamed": 64 * KIB + 1, "large": MIB}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("chunked", [False, True])
async def test_body_arrives_as_it_was_sent(
    service: Guarded, caller: ClientSession, size: int, *, chunked: bool
) -> None:
    body = bytes(number % 251 for number in range(size))
    async with before(service) as door:
        assert await post(door, caller, stream(body) if chunked else body) == 200
    assert service.bodies == [body]


async def test_call_is_repeated_for_the_epoch_that_the_service_names(
    service: Guarded, caller: ClientSession
) -> None:
    async with before(service) as door:
        for _ in range(3):
            assert await read(door, caller) == 200
    assert (len(service.bodies), service.refused) == (3, 1)


@pytest.mark.parametrize("body", [b"{}", b"x" * (MIB // 2)], ids=["whole", "streamed"])
async def test_restarted_service_takes_the_next_call(
    service: Guarded, caller: ClientSession, body: bytes
) -> None:
    async with before(service) as door:
        assert await post(door, caller, body) == 200
        service.restart()
        assert await post(door, caller, body) == 200
    assert service.bodies == [body, body]


async def test_each_process_behind_one_address_takes_the_calls_of_its_connections(
    caller: ClientSession,
) -> None:
    services = [Guarded(), Guarded(), Guarded()]
    async with before(*services) as door:
        for _ in range(4):
            statuses = await asyncio.gather(*(read(door, caller) for _ in range(12)))
            assert set(statuses) == {200}
            streamed = (post(door, caller, b"x" * (64 * KIB + 1)) for _ in range(6))
            assert set(await asyncio.gather(*streamed)) == {200}
    assert all(each.bodies for each in services)
    assert sum(len(each.bodies) for each in services) == 4 * 18


async def test_each_call_has_an_id_of_its_own(service: Guarded, caller: ClientSession) -> None:
    async with before(service) as door:
        await asyncio.gather(*(read(door, caller) for _ in range(20)))
    assert len(set(service.ids)) == 20


async def test_call_that_is_made_again_on_a_new_connection_has_another_id(
    behind: Behind, caller: ClientSession
) -> None:
    behind.reply = silent_when_asked_again(behind)
    async with door_before(behind, call_key=KEY) as door:
        assert [await read(door, caller) for _ in range(2)] == [200, 200]
    ids = [asked.headers[HEADER.decode()].split()[0] for asked in behind.asked]
    assert len(set(ids)) == 3
    assert ids[2] == f"{ids[1]}.again"


@pytest.mark.parametrize("body", [b"{}", b"x" * (MIB // 2)], ids=["whole", "streamed"])
async def test_service_with_another_key_is_a_fault_of_ours(
    service: Guarded, caller: ClientSession, body: bytes
) -> None:
    async with (
        before(service, key=OTHER_KEY) as door,
        caller.post(f"{door.url}{SYNC}", data=body) as response,
    ):
        problem = await response.json()
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert "WWW-Authenticate" not in response.headers
        record = [*door.records.recorded, *door.records.noted][-1]
        assert (record.status, record.outcome) == (503, AccessOutcome.FAILED)
    assert problem["type"] == "/problems/upstream-refuses-calls"
    assert service.bodies == []


async def test_refusal_that_is_the_services_own_is_passed_on(
    behind: Behind, caller: ClientSession
) -> None:
    behind.reply = (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    )
    async with door_before(behind, call_key=KEY) as door:
        assert await read(door, caller) == 401
    assert len(behind.asked) == 1


async def test_service_that_names_ever_new_epochs_is_not_asked_without_end(
    caller: ClientSession,
) -> None:
    service = Guarded(CallVerifier(KEY, epoch_s=0.0))
    async with before(service) as door:
        assert await read(door, caller) == 503
    assert service.refused == 2


STREAMED = b"x" * (MIB // 2)
FILE = "/dossier/v1/dossiers"


async def test_epoch_is_fetched_below_the_root_of_the_service(
    behind: Behind, caller: ClientSession
) -> None:
    """Another service may be at the same host, behind another prefix."""
    authority = behind.address.removeprefix("http://")
    behind.address += "/behind/dossier"
    async with door_before(behind, call_key=KEY) as door:
        assert await post(door, caller, STREAMED) == 200
    fetched, pushed = behind.asked
    assert fetched.line == "GET /behind/dossier/ HTTP/1.1"
    assert pushed.line == f"POST /behind/dossier{SYNC} HTTP/1.1"
    assert fetched.headers["host"] == pushed.headers["host"] == authority
    assert HEADER.decode() not in fetched.headers


async def test_streamed_call_outlives_a_connection_that_just_closed(
    behind: Behind, caller: ClientSession
) -> None:
    """Its epoch alone was asked for on that connection."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stale = behind.connections == 1
        while True:
            writer.write(answer(b"{}", NAMED))
            behind.asked.append(await read_request(reader))
            if stale:
                return

    behind.reply = reply
    async with door_before(behind, call_key=KEY) as door:
        assert [await post(door, caller, body) for body in (b"{}", STREAMED)] == [200, 200]
        assert [each.outcome for each in door.records.noted] == [AccessOutcome.ALLOWED] * 2
    lines = [asked.line.split()[0] for asked in behind.asked]
    assert (lines, behind.connections) == (["POST", "GET", "GET", "POST"], 2)


@pytest.mark.parametrize("reply", [breaking(b""), breaking(b"HTTP/1.1 40"), hang])
@pytest.mark.parametrize("path", [SYNC, FILE])
async def test_streamed_call_that_was_never_sent_did_nothing(
    behind: Behind,
    caller: ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    reply: Answering,
    path: str,
) -> None:
    monkeypatch.setattr("gateway.proxy.proving._EPOCH_WITHIN_S", 0.3, raising=False)
    behind.reply = reply
    async with (
        door_before(behind, call_key=KEY) as door,
        caller.post(f"{door.url}{path}", data=STREAMED) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert (await response.json(content_type=None))["type"] == "/problems/upstream-away"
        record = [*door.records.recorded, *door.records.noted][-1]
        assert (record.status, record.outcome) == (503, AccessOutcome.FAILED)
    assert not any(asked.line.startswith("POST") for asked in behind.asked)
