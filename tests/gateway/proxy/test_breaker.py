"""The breaker counts failures of the service alone, says so, and is not kept open by a caller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from gateway.operations.model import KIB
from gateway.proxy.breaker import FAILURES, OPEN, OPENED, Breaker, Failure
from tests.gateway.http1.loop_clock import LoopClock
from tests.support.fake_upstream import (
    NAMED,
    Answering,
    Behind,
    Door,
    answer,
    breaking,
    door_before,
    hang,
)
from tests.support.waiting import eventually

VERIFY = "/identity/v1/verifications"
LIST = "/dossier/v1/dossiers"
SYNC = "/sync/v1/dossiers"
# More than is gathered before the service is asked.
PART = 70 * KIB


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def uploading(door: Door, *, size: int = 2 * PART) -> AsyncIterator[asyncio.StreamWriter]:
    """A caller that has sent a part of its body."""
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = f"POST {SYNC} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
    writer.write(head.encode() + b"x" * PART)
    try:
        yield writer
    finally:
        writer.transport.abort()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(1, 3.0, clock, service="tried")


@pytest.fixture
async def door(behind: Behind, breaker: Breaker) -> AsyncIterator[Door]:
    async with door_before(behind, breaker=breaker) as opened:
        yield opened


def counted(kind: Failure) -> float:
    count: float = FAILURES.labels("tried", kind)._value.get()
    return count


FAILING: dict[str, tuple[Failure, Answering, str]] = {
    "hangs up": (Failure.SILENT, breaking(b""), LIST),
    "says half a head": (Failure.BROKEN, breaking(b"HTTP/1.1 200 O"), LIST),
    "speaks another protocol": (Failure.BROKEN, breaking(b"SSH-2.0-OpenSSH_9\r\n\r\n"), LIST),
    "says half an answer": (
        Failure.BROKEN,
        breaking(answer(b"x" * 9, NAMED)[:-1]),
        f"{LIST}/H26-1",
    ),
    "says nothing": (Failure.TIMED_OUT, hang, LIST),
}


@pytest.mark.parametrize("what", FAILING)
async def test_failure_of_the_service_counts_by_its_kind(
    door: Door, behind: Behind, breaker: Breaker, caller: ClientSession, what: str
) -> None:
    kind, behind.reply, path = FAILING[what]
    door.timeout_s = 0.3
    before = counted(kind)
    await (await caller.get(f"{door.url}{path}")).read()
    assert (breaker.failures, counted(kind)) == (1, before + 1)


async def test_service_that_is_not_there_counts(breaker: Breaker, caller: ClientSession) -> None:
    before = counted(Failure.UNREACHABLE)
    async with door_before(Behind(address="http://127.0.0.1:9"), breaker=breaker) as door:
        await (await caller.post(f"{door.url}{VERIFY}", data=b"{}")).read()
    assert (breaker.failures, counted(Failure.UNREACHABLE)) == (1, before + 1)


async def test_body_that_is_not_whole_in_time_does_not_count(
    door: Door, behind: Behind, breaker: Breaker
) -> None:
    door.timeout_s = 0.3
    async with uploading(door):
        await eventually(lambda: behind.connections)
        (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, breaker.failures) == (408, 0)


async def test_service_that_hangs_up_within_a_body_does_not_count(
    door: Door, behind: Behind, breaker: Breaker
) -> None:
    """It may have refused what it had seen; the reset then overtakes its answer."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.transport.abort()

    behind.talk = talk  # type: ignore[method-assign]
    async with uploading(door):
        (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, breaker.failures) == (502, 0)


async def test_caller_that_delays_its_body_takes_no_time_from_the_service(
    door: Door, behind: Behind, breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own seconds begin when it has the whole body."""
    monkeypatch.setattr("gateway.proxy.bodies._SLOWEST_PER_S", 0)
    time, finish, seconds = LoopClock(), asyncio.Event(), 200.0

    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await finish.wait()
        writer.write(answer(b"{}"))

    door.timeout_s, behind.reply = seconds, reply
    async with uploading(door) as writer:
        await eventually(lambda: behind.connections)
        await time.pass_by(0.5 * seconds)
        writer.write(b"x" * PART)
        await eventually(lambda: behind.asked)
        await time.pass_by(0.6 * seconds)
        assert not door.records.noted
        finish.set()
        (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, breaker.failures) == (200, 0)


async def test_caller_that_leaves_gives_the_probe_back(
    door: Door, behind: Behind, breaker: Breaker, clock: Clock, caller: ClientSession
) -> None:
    breaker.count_failure(Failure.SILENT)
    clock.now, behind.reply = 3.0, hang
    probe = asyncio.create_task(caller.get(f"{door.url}{LIST}"))
    await eventually(lambda: behind.asked)
    assert (await caller.get(f"{door.url}{LIST}")).status == 503
    probe.cancel()
    await eventually(lambda: door.upstream.in_flight == 0)
    behind.reply = answer(b"{}")
    assert (await caller.get(f"{door.url}{LIST}")).status == 200
    assert not breaker.is_open


async def test_body_under_way_keeps_no_probe_from_others(
    door: Door, behind: Behind, breaker: Breaker, clock: Clock, caller: ClientSession
) -> None:
    breaker.count_failure(Failure.SILENT)
    clock.now = 3.0
    async with uploading(door):
        await eventually(lambda: behind.connections)
        assert (await caller.post(f"{door.url}{VERIFY}", data=b"{}")).status == 200
    assert not breaker.is_open


async def test_body_under_way_can_close_the_breaker(
    door: Door, behind: Behind, breaker: Breaker, clock: Clock
) -> None:
    """Else a service that only gets long bodies would be left alone for ever."""
    breaker.count_failure(Failure.SILENT)
    clock.now = 3.0
    async with uploading(door) as writer:
        writer.write(b"x" * PART)
        await eventually(lambda: not breaker.is_open)
    assert behind.asked


async def test_probe_that_fails_begins_the_pause_anew(breaker: Breaker, clock: Clock) -> None:
    breaker.count_failure(Failure.SILENT)
    clock.now = 3.0
    assert breaker.seconds_until_probe() == 0.0
    breaker.count_failure(Failure.TIMED_OUT)
    breaker.end_probe()
    assert breaker.seconds_until_probe() == 3.0


def test_open_breaker_is_logged_and_measured(breaker: Breaker) -> None:
    opened = OPENED.labels("tried")._value.get()
    with capture_logs() as logs:
        breaker.count_failure(Failure.TIMED_OUT)
        breaker.count_failure(Failure.TIMED_OUT)
        assert OPEN.labels("tried")._value.get() == 1
        breaker.count_success()
    assert OPEN.labels("tried")._value.get() == 0
    assert OPENED.labels("tried")._value.get() == opened + 1
    assert logs == [
        {
            "event": "breaker_opened",
            "service": "tried",
            "failure": "timed-out",
            "log_level": "error",
        },
        {"event": "breaker_closed", "service": "tried", "log_level": "warning"},
    ]
