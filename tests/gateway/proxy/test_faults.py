import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import ClientError, ClientSession

from gateway.ledger.records import AccessOutcome
from gateway.proxy.breaker import Breaker, Failure
from tests.support.fake_upstream import (
    AS_CLIENT,
    NAMED,
    Behind,
    Door,
    answer,
    breaking,
    door_before,
    hang,
)
from tests.support.waiting import PATIENCE_S, eventually

VERIFY = "/identity/v1/verifications"
LIST = "/dossier/v1/dossiers"


FAULTS = {
    "nothing": b"",
    "half a status line": b"HTTP/1.1 20",
    "another protocol": b"SSH-2.0-OpenSSH_9\r\n\r\n",
    "half the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no number as status": b"HTTP/1.1 abc OK\r\n\r\n",
    "header without a colon": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "control character in a header": b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "header far too long": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
    "length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "half the body": answer(b"x" * 100, NAMED)[:-50],
    "broken chunk size": (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{NAMED}\r\nzz\r\nabc\r\n".encode()
    ),
    "half a chunk": (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{NAMED}\r\n9\r\nabc".encode()
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faulty_answer_is_a_bad_gateway(
    door: Door, behind: Behind, caller: ClientSession, fault: str
) -> None:
    behind.reply = breaking(FAULTS[fault])
    async with caller.post(f"{door.url}{VERIFY}", data=b"{}") as response:
        assert response.status == 502
        assert (await response.json(content_type=None))["type"] == "/problems/upstream-broke"
    (record,) = door.records.recorded
    assert record.outcome is AccessOutcome.UNKNOWN
    assert len(behind.asked) == 1


async def test_stream_that_breaks_is_not_a_shorter_answer(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = breaking(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9\r\n"
    )
    response = await caller.get(f"{door.url}{LIST}")
    assert response.status == 200
    with pytest.raises(ClientError):
        await response.read()
    (note,) = await eventually(lambda: door.records.noted)
    assert note.outcome is AccessOutcome.FAILED


async def test_slow_service_is_a_gateway_timeout(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    door.timeout_s, behind.reply = 0.2, hang
    async with caller.get(f"{door.url}{LIST}") as response:
        assert response.status == 504
        assert "Idempotency-Key" in (await response.json(content_type=None))["detail"]
    await asyncio.wait_for(behind.left.wait(), PATIENCE_S)
    assert door.records.noted[0].outcome is AccessOutcome.UNKNOWN


async def test_service_that_falls_silent_midway_ends_the_answer(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await hang(reader, writer)

    door.timeout_s, behind.reply = 3.0, reply  # long enough for the head
    response = await caller.get(f"{door.url}{LIST}")
    with pytest.raises(ClientError):
        await response.read()
    await asyncio.wait_for(behind.left.wait(), PATIENCE_S)


async def test_dead_service_is_unavailable_and_says_when_to_return(caller: ClientSession) -> None:
    nobody = Behind(address="http://127.0.0.1:9")
    async with door_before(nobody) as door, caller.get(f"{door.url}{LIST}") as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
        assert (await response.json(content_type=None))["service"] == "identity"


@asynccontextmanager
async def full_service() -> AsyncIterator[Behind]:
    """A service whose queue of connections is full: the kernel drops what else comes."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        host, port = listening.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect((host, port))
        yield Behind(address=f"http://{host}:{port}")


@pytest.mark.parametrize("path", [LIST, VERIFY])
async def test_service_that_takes_no_more_connections_is_unavailable_and_did_nothing(
    caller: ClientSession, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """An overloaded service is no slow answer: it was never asked."""
    monkeypatch.setattr("gateway.proxy.upstream._CONNECT_S", 0.2)
    method = "POST" if path == VERIFY else "GET"
    async with (
        full_service() as full,
        door_before(full) as door,
        caller.request(method, f"{door.url}{path}") as response,
    ):
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
        told = await response.json(content_type=None)
    assert told["type"] == "/problems/upstream-away"
    assert "nothing was done" in told["detail"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("method", "path", "tries"), [("GET", LIST, 2), ("POST", VERIFY, 1)])
async def test_only_an_idempotent_call_without_body_is_tried_again(
    caller: ClientSession, method: str, path: str, tries: int
) -> None:
    breaker = Breaker()
    nobody = Behind(address="http://127.0.0.1:9")
    async with door_before(nobody, breaker=breaker) as door:
        data = b"{}" if method == "POST" else None
        await (await caller.request(method, f"{door.url}{path}", data=data)).read()
    assert breaker.failures == tries


async def test_breaker_leaves_the_service_alone_then_probes(
    behind: Behind, caller: ClientSession
) -> None:
    clock = Clock()
    async with door_before(behind, breaker=Breaker(2, 3.0, clock)) as door:
        door.timeout_s, behind.reply = 0.2, hang
        for name in ("one", "two"):
            headers = {AS_CLIENT: name}
            assert (await caller.get(f"{door.url}{LIST}", headers=headers)).status == 504
        assert (await caller.get(f"{door.url}{LIST}")).status == 503
        assert len(behind.asked) == 2
        clock.now += 3.0
        behind.reply, door.timeout_s = answer(b"{}"), PATIENCE_S
        assert (await caller.get(f"{door.url}{LIST}")).status == 200
        assert (await caller.get(f"{door.url}{LIST}")).status == 200


async def test_breaker_counts_a_service_that_takes_calls_and_hangs_up(
    behind: Behind, caller: ClientSession
) -> None:
    async with door_before(behind, breaker=Breaker(2, 3.0, Clock())) as door:
        behind.reply = breaking(b"")
        for name, status in (("one", 502), ("two", 502), ("three", 503)):
            headers = {AS_CLIENT: name}
            assert (await caller.get(f"{door.url}{LIST}", headers=headers)).status == status


def test_breaker_lets_one_probe_through_each_pause() -> None:
    clock = Clock()
    breaker = Breaker(1, 3.0, clock)
    breaker.count_failure(Failure.SILENT)
    clock.now = 2.0
    assert breaker.seconds_until_probe() == 1.0
    clock.now = 3.0
    assert (breaker.seconds_until_probe(), breaker.seconds_until_probe()) == (0.0, 3.0)
    breaker.count_failure(Failure.SILENT)
    clock.now = 5.0
    assert breaker.seconds_until_probe() == 1.0
    breaker.count_success()
    assert breaker.seconds_until_probe() == 0.0


async def test_full_service_is_refused_not_queued(behind: Behind, caller: ClientSession) -> None:
    behind.reply = hang
    async with door_before(behind, slots=1) as door:
        first = asyncio.create_task(caller.get(f"{door.url}{LIST}"))
        await eventually(lambda: behind.asked)
        async with caller.get(f"{door.url}{LIST}") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
        first.cancel()
        await eventually(lambda: door.upstream.in_flight == 0)
        behind.reply = answer(b"{}")
        assert (await caller.get(f"{door.url}{LIST}")).status == 200


async def test_slow_senders_hold_no_slot(behind: Behind, caller: ClientSession) -> None:
    async with door_before(behind, slots=1) as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        head = f"POST {VERIFY} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{"
        writer.write(head.encode())
        await eventually(lambda: door.admitted)
        assert (await caller.get(f"{door.url}{LIST}")).status == 200
        assert door.upstream.in_flight == 0
        writer.close()
        (record,) = await eventually(lambda: door.records.recorded)
    assert (record.status, record.request_sha256) == (400, None)
