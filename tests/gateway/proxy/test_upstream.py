"""What the services behind may do with a connection, and what comes of it."""

import asyncio
import io
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession

from gateway.http1.connection import BrokenOffError
from gateway.http1.pool import open_pool
from gateway.operations.model import KIB, MIB, Service
from gateway.operations.table import OPERATIONS
from gateway.proxy.upstream import Upstream
from tests.support.fake_upstream import (
    NAMED,
    Answering,
    Behind,
    Door,
    answer,
    breaking,
    read_request,
)
from tests.support.waiting import eventually

VERIFY = "/identity/v1/verifications"
LIST = "/dossier/v1/dossiers"
SYNC = "/sync/v1/dossiers"
OK = b"HTTP/1.1 200 OK\r\n"


async def ask(door: Door, caller: ClientSession) -> tuple[int, bytes]:
    async with caller.get(f"{door.url}{LIST}") as response:
        return response.status, await response.read()


async def test_connection_is_kept_from_call_to_call(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    for _ in range(3):
        assert await ask(door, caller) == (200, b"{}")
    assert (len(behind.asked), behind.connections) == (3, 1)


async def test_connection_that_the_service_ends_is_not_used_again(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = answer(b"{}", "Connection: close\r\n")
    for _ in range(3):
        assert await ask(door, caller) == (200, b"{}")
    assert behind.connections == 3


def silent_when_asked_again(behind: Behind) -> Answering:
    """Closes a connection that was kept just as the next call comes in."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"{}", NAMED))
        behind.asked.append(await read_request(reader))

    return reply


async def test_idempotent_call_outlives_a_connection_that_just_closed(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = silent_when_asked_again(behind)
    for _ in range(2):
        assert await ask(door, caller) == (200, b"{}")
    assert (len(behind.asked), behind.connections) == (3, 2)


async def test_other_call_on_a_connection_that_just_closed_is_not_made_twice(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = silent_when_asked_again(behind)
    statuses = [(await caller.post(f"{door.url}{VERIFY}", data=b"{}")).status for _ in range(2)]
    assert statuses == [200, 502]
    assert (len(behind.asked), behind.connections) == (2, 1)


UNUSUAL = {
    "in chunks with extensions and trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n",
        200,
        b"abc",
    ),
    "after hints": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + answer(b"abc"),
        200,
        b"abc",
    ),
    "in version 1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
    "without content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not modified, with the length it would have": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
        304,
        b"",
    ),
    "empty": (answer(b""), 200, b""),
}


@pytest.mark.parametrize("unusual", UNUSUAL)
async def test_unusual_answer_passes(
    door: Door, behind: Behind, caller: ClientSession, unusual: str
) -> None:
    said, status, body = UNUSUAL[unusual]
    behind.reply = breaking(said)
    async with caller.get(f"{door.url}{LIST}") as response:
        assert (response.status, await response.read()) == (status, body)
        assert not {"Link", "X-T"} & set(response.headers)


@pytest.mark.parametrize(
    "surplus", [answer(b'{"of": "somebody else"}'), b"half a l", b"\r\n", b"HTTP/1.1 200 OK\r\n"]
)
async def test_what_nobody_asked_for_is_nobodys_answer(
    door: Door, behind: Behind, caller: ClientSession, surplus: bytes
) -> None:
    behind.reply = answer(b"{}") + surplus
    for _ in range(3):
        assert await ask(door, caller) == (200, b"{}")


REFUSED = {
    "an end that only closing tells": OK + b"\r\nabc",
    "a switch of protocols": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    ),
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a coding it did not announce": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": (OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "a length beside chunks": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
    ),
    "a folded header": OK + b"X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "lines without a return": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "no status": b"HTTP/1.1 99 Early\r\nContent-Length: 0\r\n\r\n",
    "a status of its own": b"HTTP/1.1 777 Lucky\r\nContent-Length: 0\r\n\r\n",
    "hints without end": b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" * 5_000,
    "trailers without end": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-T: a\r\n" * 20_000
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
async def test_answer_that_cannot_be_trusted_is_a_bad_gateway(
    door: Door, behind: Behind, caller: ClientSession, refused: str
) -> None:
    behind.reply = breaking(REFUSED[refused])
    async with caller.post(f"{door.url}{VERIFY}", data=b"{}") as response:
        assert response.status == 502


async def test_answer_may_come_before_the_whole_request_was_sent(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind.connections += 1
        writer.write(answer(b"enough", status="413 Content Too Large"))
        await behind.left.wait()
        writer.close()

    behind.talk = talk  # type: ignore[method-assign]
    async with caller.post(f"{door.url}{SYNC}", data=io.BytesIO(b"x" * 7 * MIB)) as response:
        assert (response.status, await response.read()) == (413, b"enough")
    behind.left.set()
    assert behind.connections == 1


async def test_nothing_goes_on_sending_to_a_service_that_hung_up(behind: Behind) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.close()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    behind.talk = talk  # type: ignore[method-assign]
    upstream, operation = Upstream(Service.SYNC, behind.address), OPERATIONS[f"POST {SYNC}"]
    async with open_pool() as session:
        with (
            pytest.raises(BrokenOffError),
            upstream.reserve_call_slot("client", whole=False) as slot,
        ):
            await upstream.send_call(session, operation, SYNC, [], pieces(), slot=slot)
        await eventually(lambda: not any(map(is_sending, asyncio.all_tasks())))


def is_sending(task: asyncio.Task[object]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "") == "Connection._send_chunked_body"


def list_awaited(task: asyncio.Task[object]) -> Iterator[str]:
    """Yield the names of the coroutines of a task, from its own to the one in which it waits."""
    awaited: object = task.get_coro()
    while name := getattr(awaited, "__qualname__", ""):
        yield name
        awaited = getattr(awaited, "cr_await", None)


def is_blocked() -> bool:
    """Return whether the gateway waits until the service behind takes more."""
    waiting = {" ".join(list_awaited(task)) for task in asyncio.all_tasks()}
    return "Connection._send_chunked_body Event.wait" in waiting


async def test_memory_stays_flat_under_a_long_request_to_a_slow_service(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    go_on, size = asyncio.Event(), 7 * MIB

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        behind.asked.append(await read_request(reader))
        writer.write(answer(b"{}"))
        writer.close()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // (64 * KIB)):
            yield b"x" * 64 * KIB

    behind.talk = talk  # type: ignore[method-assign]
    tracemalloc.start()
    try:
        call = asyncio.create_task(caller.post(f"{door.url}{SYNC}", data=pieces()))
        await eventually(is_blocked)
        # Each turn of the loop reads from the caller if anything does: enough turns for the whole.
        for _ in range(2 * size // (64 * KIB)):
            await asyncio.sleep(0)
        assert is_blocked()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * MIB
    go_on.set()
    assert (await call).status == 200
    assert len(behind.asked[0].body) == size
