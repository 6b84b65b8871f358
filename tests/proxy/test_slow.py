"""Nobody can hold the gateway by being slow: all of these wait at the same time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from itertools import repeat

import pytest

from gateway.operations.model import KIB, MIB
from tests.proxy.caller import Wire, connected
from tests.proxy.harness import CHUNKED, LIST, VERIFY, Stage, get, post
from tests.proxy.upstream import Answering, Asked, hang, saying
from tests.support.fake_upstream import NAMED, answer
from tests.support.waiting import eventually

HEAD = b"HTTP/1.1 200 OK\r\n" + NAMED.encode()
# After a talk the service hangs up: said, or the next call could be sent into what just ends.
LAST = "Connection: close\r\n" + NAMED
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + LAST.encode() + b"\r\n"
PAUSE_S = 0.5
# So many that agree, one after the other, are no chance.
LOOKS = 10
# All limits of time that the cases meet are 10 seconds; a loud machine may take its time as well.
LATEST_S = 90.0
Recorded = tuple[tuple[object, object], ...]


async def drip(wire: Wire, data: bytes) -> None:
    """Byte by byte, until the gateway has had enough."""
    for byte in data:
        await wire.send(bytes([byte]))
        await asyncio.sleep(PAUSE_S)


async def ends(wire: Wire, dripping: bytes = b"") -> list[int]:
    """The statuses that come until the gateway ends the connection."""
    dripped = asyncio.create_task(drip(wire, dripping))
    statuses = list[int]()
    try:
        async with asyncio.timeout(LATEST_S):
            while told := await wire.answer():
                statuses.append(told.status)
    finally:
        dripped.cancel()
    return statuses


async def recorded(stage: Stage, request_id: str) -> Recorded:
    return tuple((row["status"], row["outcome"]) for row in await stage.records_of(request_id))


def behind(stage: Stage, request_id: str) -> list[bool]:
    return [asked.whole for asked in stage.behind.asked if asked.request_id == request_id]


async def silent_from_the_start(stage: Stage) -> None:
    async with connected(stage.gateway.port) as wire:
        assert await ends(wire) == []


async def silent_after_a_good_call(stage: Stage) -> None:
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(get(), stage.new_id("then silent")))
        assert await ends(wire) == [200]


async def head_byte_by_byte(stage: Stage) -> None:
    request_id = stage.new_id("slow head")
    async with connected(stage.gateway.port) as wire:
        assert set(await ends(wire, stage.wire(get(), request_id))) <= {408}
    assert behind(stage, request_id) == []


async def headers_without_end(stage: Stage) -> None:
    request_id = stage.new_id("endless headers")
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(get()[:-2], request_id))
        assert set(await ends(wire, b"X-A: b\r\n" * 100)) <= {408}
    assert behind(stage, request_id) == []


async def body_that_never_comes(stage: Stage) -> None:
    request_id = stage.new_id("no body")
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(post(b"Content-Length: 9\r\n"), request_id))
        assert await ends(wire) == [408]
    assert await recorded(stage, request_id) == ((408, "refused"),)
    assert behind(stage, request_id) == []


async def body_byte_by_byte(stage: Stage) -> None:
    request_id = stage.new_id("slow body")
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(post(b"Content-Length: 5000\r\n"), request_id))
        assert await ends(wire, b"x" * 5000) == [408]
    assert await recorded(stage, request_id) == ((408, "refused"),)
    assert behind(stage, request_id) == []


async def chunks_byte_by_byte(stage: Stage) -> None:
    request_id = stage.new_id("slow chunks")
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(post(CHUNKED, target=VERIFY), request_id))
        assert await ends(wire, b"1\r\nx\r\n" * 100) == [408]
    assert await recorded(stage, request_id) == ((408, "refused"),)
    assert behind(stage, request_id) == []


async def service_that_says_nothing(stage: Stage) -> None:
    await assert_timed_out(stage, saying(then=hang))


async def service_that_says_half_a_head(stage: Stage) -> None:
    await assert_timed_out(stage, saying(HEAD, then=hang))


async def service_that_drips_its_head(stage: Stage) -> None:
    await assert_timed_out(stage, saying(HEAD, then=pouring(repeat(b"X-A: b\r\n"))))


async def service_that_drips_a_personal_answer(stage: Stage) -> None:
    await assert_timed_out(
        stage,
        saying(STREAM, then=pouring(repeat(b"1\r\nx\r\n"))),
        post(b"Content-Length: 2\r\n", b"{}"),
    )


async def service_with_interim_answers_without_end(stage: Stage) -> None:
    interim = pouring(repeat(b"HTTP/1.1 102 Processing\r\n\r\n" * 100))
    await assert_timed_out(stage, saying(then=interim), post(b"Content-Length: 2\r\n", b"{}"))


async def assert_timed_out(stage: Stage, reply: Answering, sent: bytes = get()) -> None:
    request_id = stage.new_id("timed out")
    stage.behind.replies[request_id] = reply
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(sent, request_id))
        async with asyncio.timeout(LATEST_S):
            told = await wire.answer()
    assert told
    assert (told.status, told.whole) == (504, True)
    assert await recorded(stage, request_id) == ((504, "unknown"),)
    assert behind(stage, request_id) == [True]


async def service_that_falls_silent_midway(stage: Stage) -> None:
    request_id = stage.new_id("silent midway")
    stage.behind.replies[request_id] = saying(STREAM + b"3\r\nabc\r\n", then=hang)
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(get(LIST), request_id))
        async with asyncio.timeout(LATEST_S):
            told = await wire.answer()
    assert told
    assert (told.status, told.body, told.whole) == (200, b"abc", False)


async def service_that_streams_longer_than_any_limit(stage: Stage) -> None:
    """Slow is allowed where it goes on: what is bounded is each silence."""
    request_id = stage.new_id("slow stream")
    pieces = [b"1\r\nx\r\n"] * 25 + [b"0\r\n\r\n"]
    stage.behind.replies[request_id] = saying(STREAM, then=pouring(pieces))
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(get(LIST), request_id))
        async with asyncio.timeout(LATEST_S):
            told = await wire.answer()
    assert told
    assert (told.status, told.body, told.whole) == (200, b"x" * 25, True)


async def caller_that_reads_slowly(stage: Stage) -> None:
    """The service is held up, the gateway holds little."""
    request_id, size, sent = stage.new_id("slow reader"), 48 * MIB, [0]

    async def pour(asked: Asked, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            answer(b"", f"Content-Length: {size}\r\n{LAST}").replace(b"Content-Length: 0\r\n", b"")
        )
        while sent[0] < size:
            writer.write(b"x" * 64 * KIB)
            sent[0] += 64 * KIB
            await writer.drain()

    stage.behind.replies[request_id] = saying(then=pour)
    async with connected(stage.gateway.port, hearing=32 * KIB) as wire:
        await wire.send(stage.wire(get(LIST), request_id))
        await eventually(lambda: sent[0])
        before, agreeing = 0, 0
        while agreeing < LOOKS:
            # Whoever serves this in between is not held up by the machine.
            await stage.good_call()
            agreeing = agreeing + 1 if sent[0] == before else 0
            before = sent[0]
        assert sent[0] < size / 2
        told = await wire.answer()
    assert told
    assert (len(told.body), told.whole) == (size, True)


def pouring(pieces: Iterable[bytes]) -> Answering:
    async def pour(asked: Asked, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(PAUSE_S)

    return pour


STORIES: dict[str, Callable[[Stage], Coroutine[None, None, None]]] = {
    story.__name__.replace("_", " "): story
    for story in (
        silent_from_the_start,
        silent_after_a_good_call,
        head_byte_by_byte,
        headers_without_end,
        body_that_never_comes,
        body_byte_by_byte,
        chunks_byte_by_byte,
        service_that_says_nothing,
        service_that_says_half_a_head,
        service_that_drips_its_head,
        service_that_drips_a_personal_answer,
        service_with_interim_answers_without_end,
        service_that_falls_silent_midway,
        service_that_streams_longer_than_any_limit,
        caller_that_reads_slowly,
    )
}


@pytest.fixture(scope="module")
async def told(stage: Stage) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    tasks = {name: asyncio.create_task(story(stage)) for name, story in STORIES.items()}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_others_are_served_meanwhile(
    stage: Stage, told: dict[str, asyncio.Task[None]]
) -> None:
    while not all(task.done() for task in told.values()):
        await stage.good_call()
        await asyncio.sleep(PAUSE_S)


@pytest.mark.parametrize("story", STORIES)
async def test_slowness_ends(told: dict[str, asyncio.Task[None]], story: str) -> None:
    await told[story]
