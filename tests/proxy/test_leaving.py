"""Somebody goes away in the middle: the others see that it broke, and the ledger says so."""

import asyncio
from collections.abc import Callable
from socket import SHUT_WR

import pytest

from gateway.operations.model import KIB, MIB
from tests.proxy.caller import Told, Wire, connected
from tests.proxy.harness import CHUNKED, LIST, READ, REFUSED, SYNC, VERIFY, Stage, get, post
from tests.proxy.upstream import GOOD, Answering, Asked, hang, saying
from tests.support.fake_upstream import NAMED, answer
from tests.support.waiting import PATIENCE_S, eventually

LONG = b"x" * 3 * MIB
# More than is gathered before the service is asked.
LONG_CHUNK = b"%x\r\n%b\r\n" % (70 * KIB, b"x" * 70 * KIB)
Leave = Callable[[Wire], None]


def closes(wire: Wire) -> None:
    wire.socket.close()


def resets(wire: Wire) -> None:
    wire.reset()


async def outcomes(stage: Stage, request_id: str, count: int = 1) -> tuple[tuple[object, ...], ...]:
    """Once so many records are there."""

    async def written() -> bool:
        return len(await stage.records_of(request_id)) >= count

    await eventually(written)
    rows = await stage.records_of(request_id)
    return tuple((row["status"], row["outcome"]) for row in rows)


async def came(stage: Stage, request_id: str) -> Asked:
    found = await eventually(
        lambda: [asked for asked in stage.behind.asked if asked.request_id == request_id]
    )
    return found[0]


UPLOADS = {
    "long body of known length": (post(b"Content-Length: 900000\r\n", b"x" * 100_000, SYNC), True),
    "long body in chunks": (post(CHUNKED, LONG_CHUNK, SYNC), True),
    "long personal body in chunks": (post(CHUNKED, LONG_CHUNK, LIST), True),
    "body in chunks": (post(CHUNKED, b"ff\r\nabc", SYNC), False),
    "personal body in chunks": (post(CHUNKED, b"2\r\n{}\r\n", VERIFY), False),
    "short body of known length": (post(b"Content-Length: 9\r\n", b"{", VERIFY), False),
}


@pytest.mark.parametrize("leave", [closes, resets])
@pytest.mark.parametrize("what", UPLOADS)
async def test_caller_leaves_within_its_body(stage: Stage, what: str, leave: Leave) -> None:
    sent, streamed = UPLOADS[what]
    request_id = stage.new_id("upload")
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(sent, request_id))
        if streamed:
            await came(stage, request_id)
        leave(wire)
    # What may take effect is announced before its service is asked.
    announced = ((None, "unknown"),) if what.startswith("long personal") else ()
    wanted = (*announced, *REFUSED)
    assert await outcomes(stage, request_id, len(wanted)) == wanted
    seen = [asked for asked in stage.behind.asked if asked.request_id == request_id]
    assert [asked.whole for asked in seen] == [False] * streamed
    for asked in seen:
        await asyncio.wait_for(asked.left.wait(), PATIENCE_S)
    await stage.good_call()


@pytest.mark.parametrize(
    "end", [b"zz\r\n", b"2\r\n{}xx\r\n", b"0\r\nno colon\r\n\r\n", b"7fffffff\r\n" + b"x" * 9 * MIB]
)
async def test_body_that_breaks_midway_is_never_a_shorter_whole(stage: Stage, end: bytes) -> None:
    request_id = stage.new_id("breaks midway")
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(post(CHUNKED, LONG_CHUNK, SYNC), request_id))
        asked = await came(stage, request_id)
        await wire.send(end)
        await asyncio.wait_for(asked.left.wait(), PATIENCE_S)
    assert not asked.whole
    ((status, _),) = await outcomes(stage, request_id)
    assert status in {413, 400}
    await stage.good_call()


@pytest.mark.parametrize("leave", [closes, resets])
async def test_caller_leaves_before_the_answer(stage: Stage, leave: Leave) -> None:
    request_id = stage.new_id("waiting")
    stage.behind.replies[request_id] = saying(then=hang)
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(get(LIST), request_id))
        asked = await came(stage, request_id)
        leave(wire)
    await asyncio.wait_for(asked.left.wait(), PATIENCE_S)
    assert await outcomes(stage, request_id) == ((499, "unknown"),)
    await stage.good_call()


def halves(wire: Wire) -> None:
    wire.socket.shutdown(SHUT_WR)


PERSONAL = {
    "read": get(READ),
    "verification": post(b"Content-Length: 2\r\n", b"{}", VERIFY),
    "change": post(b"Content-Length: 2\r\n", b"{}", LIST),
}


@pytest.mark.parametrize("leave", [closes, resets, halves])
@pytest.mark.parametrize("what", PERSONAL)
async def test_personal_call_goes_on_without_its_caller(
    stage: Stage, what: str, leave: Leave
) -> None:
    left = asyncio.Event()

    async def answer_late(_: Asked, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await left.wait()
        writer.write(GOOD)
        await writer.drain()

    request_id = stage.new_id("outlived")
    stage.behind.replies[request_id] = saying(then=answer_late)
    announced = ((None, "unknown"),) if what == "change" else ()
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(PERSONAL[what], request_id))
        await came(stage, request_id)
        leave(wire)
        unknown = (*announced, (499, "unknown"))
        assert await outcomes(stage, request_id, len(unknown)) == unknown
        left.set()
        wanted = (*unknown, (499, "allowed"))
        assert await outcomes(stage, request_id, len(wanted)) == wanted
    await stage.good_call()


async def without_end(_: Asked, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"10000\r\n" + b"x" * 64 * KIB + b"\r\n")
        await writer.drain()


ENDLESS = saying(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + NAMED.encode() + b"\r\n",
    then=without_end,
)
DOWNLOADS = {
    "list": (get(LIST), ((200, "failed"),)),
    "personal answer": (get(READ), ((200, "allowed"), (200, "failed"))),
}


@pytest.mark.parametrize("leave", [closes, resets])
@pytest.mark.parametrize("what", DOWNLOADS)
async def test_caller_leaves_within_the_answer(stage: Stage, what: str, leave: Leave) -> None:
    sent, recorded = DOWNLOADS[what]
    request_id = stage.new_id("download")
    stage.behind.replies[request_id] = ENDLESS
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(sent, request_id))
        while len(wire.heard) < MIB:
            assert await wire.more()
        leave(wire)
    asked = await came(stage, request_id)
    await asyncio.wait_for(asked.left.wait(), PATIENCE_S)
    assert await outcomes(stage, request_id, len(recorded)) == recorded
    await stage.good_call()


def chunked(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{NAMED}\r\n".encode()
    return head + b"%x\r\n%b\r\n" % (len(body), body)


async def hang_up_hard(_: Asked, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


TWICE = ((200, "allowed"), (200, "failed"))
FAILED = ((200, "failed"),)
BROKEN = ((502, "unknown"),)
# What is said before the service dies; what the caller has of it (None: a clean 502); the ledger.
DEATHS: dict[str, tuple[bytes, bytes, bool, tuple[tuple[int, str], ...]]] = {
    "long list of known length": (get(LIST), answer(LONG)[:-MIB], False, FAILED),
    "short list of known length": (get(LIST), answer(b"x" * 999)[:-9], True, BROKEN),
    "list in chunks": (get(LIST), chunked(b"x" * 999), False, FAILED),
    "list within a chunk": (get(LIST), chunked(b"x" * 999)[:-99], False, FAILED),
    "list before the last chunk's end": (get(LIST), chunked(b"x" * 99) + b"0\r\n", False, FAILED),
    "personal answer of known length": (get(), answer(b"x" * 999, NAMED)[:-9], True, BROKEN),
    "personal answer in chunks": (get(), chunked(b"x" * 999), True, BROKEN),
    "long personal answer of known length": (get(), answer(LONG, NAMED)[:-MIB], False, TWICE),
    "long personal answer in chunks": (get(), chunked(LONG), False, TWICE),
    "one byte short of a megabyte": (get(), answer(b"x" * MIB, NAMED)[:-1], True, BROKEN),
    "one byte short of three": (get(), answer(LONG, NAMED)[:-1], False, TWICE),
}


@pytest.mark.parametrize("death", [None, hang_up_hard])
@pytest.mark.parametrize("what", DEATHS)
async def test_service_dies_within_its_answer(
    stage: Stage, what: str, death: Answering | None
) -> None:
    sent, part, held_back, recorded = DEATHS[what]
    request_id = stage.new_id("death")
    stage.behind.replies[request_id] = saying(part, then=death)
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(sent, request_id))
        told = await wire.answer()
    if held_back:
        assert told
        assert (told.status, told.whole) == (502, True)
    else:
        assert_cut_off(told)
    # A death that overtakes the head leaves a clean refusal in place of a broken answer.
    clean = told is not None and told.status == 502
    wanted = BROKEN if clean else recorded
    assert await outcomes(stage, request_id, len(wanted)) == wanted
    await stage.good_call()


def assert_cut_off(told: Told | None) -> None:
    """Never a shorter answer that looks whole."""
    assert told is None or told.status == 502 or not told.whole


@pytest.mark.parametrize(
    ("hears_on", "answered"),
    # What was sent to who has hung up is refused by a reset, which may overtake the answer.
    [(True, {422}), (False, {422, 502})],
)
async def test_service_answers_before_it_has_read_the_body(
    stage: Stage, hears_on: bool, answered: set[int]
) -> None:
    async def refuse(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(answer(b"{}", "Connection: close\r\n", "422 Unprocessable Content"))
        await writer.drain()
        if hears_on:
            await reader.read()

    request_id = stage.new_id("early")
    stage.behind.replies[request_id] = refuse
    async with connected(stage.gateway.port) as wire:
        await wire.send(
            stage.wire(post(b"Content-Length: 4000000\r\n", b"x" * 100_000, SYNC), request_id)
        )
        told = await wire.answer()
    assert told
    assert told.whole
    assert told.status in answered
    ((status, _),) = await outcomes(stage, request_id)
    assert status == told.status
    await stage.good_call()


async def test_what_a_service_says_unasked_answers_nobody(stage: Stage) -> None:
    """On a connection that is kept, after the caller has got its answer."""
    told_unasked, request_id = asyncio.Event(), stage.new_id("unasked")
    heard = asyncio.Event()

    async def reply(asked: Asked, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await writer.drain()
        await heard.wait()
        writer.write(answer(b"poison", NAMED))
        await writer.drain()
        told_unasked.set()

    stage.behind.replies[request_id] = saying(then=reply)
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(get(), request_id))
        told = await wire.answer()
        assert told
        assert told.body == b"{}"
        heard.set()
        await told_unasked.wait()
    for _ in range(5):
        await stage.good_call()
