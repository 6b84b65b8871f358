"""The load generator: its quantiles, its two loops, and what an open loop cannot hide."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import pytest

from deploy.bench.load import (
    Address,
    Connection,
    LoadFailedError,
    LoadResult,
    at_rate,
    planned_instants,
    quantile,
    request,
    saturate,
)
from deploy.bench.load_results import latencies

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SENT = request("GET", "http://127.0.0.1/x", {})


@asynccontextmanager
async def answering(
    before_each: Callable[[int], Awaitable[None]], said: bytes
) -> AsyncIterator[Address]:
    """A server that awaits `before_each(number of the request)`, then says what it is told."""
    count = 0
    serving = set[asyncio.Task[Any] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        serving.add(asyncio.current_task())
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                count += 1
                await before_each(count)
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield host, port
        tasks = [task for task in serving if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def at_once(_: int) -> None:
    pass


async def never(_: int) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 5.0), (0.95, 10.0), (0.9, 9.0), (0.1, 1.0), (0.01, 1.0)]
)
def test_quantile_is_the_least_value_not_exceeded_by_that_share(
    share: float, expected: float
) -> None:
    assert quantile([10.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0, 5.0], share) == expected


def test_quantile_of_one_value_is_that_value() -> None:
    assert quantile([3.0], 0.99) == 3.0


def test_request_is_planned_for_each_slot_of_the_rate() -> None:
    assert list(planned_instants(4, 10.0, 11.0)) == [10.0, 10.25, 10.5, 10.75]


async def test_stall_counts_for_all_that_was_planned_meanwhile() -> None:
    """One connection, 20/s, the first answer takes 0.5 s: the tenth request waited 0.05 s still.

    Counted from their sending, all but the first would look as if they had been answered at once.
    """

    async def first_takes_half_a_second(number: int) -> None:
        if number == 1:
            await asyncio.sleep(0.5)

    async with answering(first_takes_half_a_second, ANSWER) as address:
        outcome = await at_rate(
            address, repeat(SENT), rate=20, connections=1, seconds=1.0, warm_up=0
        )

    assert len(outcome.seconds) == 20
    for number, seconds in enumerate(outcome.seconds[:10]):
        assert seconds >= 0.5 - number * 0.05 - 0.001
    assert outcome.ms(0.55) >= 50 - 1  # of twenty, ten waited


async def test_closed_loop_sends_again_as_soon_as_it_is_answered() -> None:
    async def fifty_ms(_: int) -> None:
        await asyncio.sleep(0.05)

    async with answering(fifty_ms, ANSWER) as address:
        outcome = await saturate(address, repeat(SENT), connections=2, seconds=2.0, warm_up=0)

    assert 2 <= len(outcome.seconds) <= 2 * (2.0 / 0.05 + 1)
    assert all(seconds >= 0.049 for seconds in outcome.seconds)
    assert outcome.statuses == {200: len(outcome.seconds)}


async def test_what_is_answered_after_the_end_does_not_make_the_server_faster() -> None:
    """It answers one in 50 ms: 20/s, however many wait for it when the time is over."""
    turn = asyncio.Lock()

    async def one_by_one(_: int) -> None:
        async with turn:
            await asyncio.sleep(0.05)

    async with answering(one_by_one, ANSWER) as address:
        outcome = await saturate(address, repeat(SENT), connections=10, seconds=0.2, warm_up=0)

    assert outcome.per_second <= 20


async def test_closed_loop_ends_with_its_requests() -> None:
    async with answering(at_once, ANSWER) as address:
        outcome = await saturate(address, iter([SENT] * 7), connections=3, seconds=60, warm_up=0)
    assert len(outcome.seconds) == 7


async def test_load_on_a_server_that_hangs_fails_when_its_patience_is_over() -> None:
    async def stops_answering(number: int) -> None:
        if number == 3:
            await never(number)

    async with answering(stops_answering, ANSWER) as address:
        with pytest.raises(LoadFailedError):
            await saturate(
                address, repeat(SENT), connections=2, seconds=0.1, warm_up=0, patience=0.1
            )


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"not HTTP at all\r\n\r\n",
    ],
)
async def test_load_that_was_not_answered_as_it_should_gives_no_figure(said: bytes) -> None:
    async with answering(at_once, said) as address:
        outcome = await saturate(address, iter([SENT]), connections=1, seconds=60, warm_up=0)
    with pytest.raises(LoadFailedError):
        outcome.require_success()


async def test_answer_is_read_to_its_end_however_it_is_cut() -> None:
    async with answering(never, ANSWER) as address:
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(Connection, *address)
        answer = connection.ask(SENT)
        for byte in b"HTTP/1.1 204 No\r\ncontent-LENGTH: 3\r\n\r\nab":
            connection.data_received(bytes([byte]))
        assert not answer.done()
        connection.data_received(b"c")
        assert await answer == 204
        transport.abort()


def test_windows_part_an_outcome_by_its_planned_instants() -> None:
    outcome = LoadResult(duration=3.0)
    for planned, seconds in ((10.0, 0.1), (10.9, 0.2), (11.0, 0.3), (12.99, 0.4), (13.0, 0.5)):
        outcome.note(planned, planned + seconds, 200)

    parts = outcome.windows(3)

    assert [len(part.seconds) for part in parts] == [2, 1, 2]
    assert [round(part.ms(1.0)) for part in parts] == [200, 300, 500]
    assert [part.duration for part in parts] == [1.0, 1.0, 1.0]


def test_latencies_are_figures_by_quantile_with_their_aims() -> None:
    outcome = LoadResult(
        duration=1.0, planned=[0.0] * 100, seconds=[n / 1000 for n in range(1, 101)]
    )
    figures = list(latencies("call", [outcome], p99=98))
    assert [(f.name, round(f.median, 6), f.is_met) for f in figures] == [
        ("call: p50", 50.0, None),
        ("call: p95", 95.0, None),
        ("call: p99", 99.0, False),
    ]
