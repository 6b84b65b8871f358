"""After all of it the gateway holds nothing: no connection, no memory, and a log that was not
written by a caller.
"""

import orjson
import psutil

from gateway.operations.model import KIB, MIB
from tests.proxy.caller import connected
from tests.proxy.harness import CHUNKED, LIST, SYNC, VERIFY, Stage, get, post
from tests.proxy.upstream import hang, saying
from tests.support.fake_upstream import NAMED, answer
from tests.support.waiting import eventually

ROUNDS = 30
# One to each service, kept from the last question whether it is alive.
ASKED_FOR_HEALTH = 3
MAX_GROWTH = 24 * MIB
# The names of events that a case may leave behind.
EXPECTED_EVENTS = {"rights_read", "chain_held", "upstream_broke_midway", "connections_shut"}
# These too, where the machine keeps the database from answering in time.
EXPECTED_EVENTS |= {"rights_stale", "ledger_away"}
# The request log (decision 53), which names the template of a path and no text of the request.
EXPECTED_EVENTS |= {"request_refused", "request_failed", "answers_not_logged"}


def worker(stage: Stage) -> psutil.Process:
    found = psutil.Process(stage.gateway.pid).children(recursive=True)
    return max(found, key=lambda process: int(process.memory_info().rss))


async def leave(stage: Stage, sent: bytes, *, hear: int = 0, reply: object = None) -> None:
    """Says something, hears a little, and is gone."""
    request_id = stage.new_id("left")
    if reply is not None:
        stage.behind.replies[request_id] = reply  # type: ignore[assignment]  # as the cases do
    async with connected(stage.gateway.port) as wire:
        await wire.send(stage.wire(sent, request_id))
        while len(wire.heard) < hear and await wire.more():
            pass
        wire.reset()


async def all_kinds_once(stage: Stage) -> None:
    await leave(stage, post(b"Content-Length: 4000000\r\n", b"x" * MIB, SYNC))
    await leave(stage, post(b"Content-Length: 60000\r\n", b"x" * 50_000, VERIFY))
    await leave(stage, post(CHUNKED, b"ffffff\r\n" + b"x" * 60_000, VERIFY))
    await leave(stage, post(CHUNKED, b"zz\r\n", VERIFY), hear=1)
    await leave(stage, get(LIST), hear=64 * KIB, reply=answer(b"x" * 4 * MIB))
    await leave(stage, get(), hear=64 * KIB, reply=answer(b"x" * 4 * MIB, NAMED))
    await leave(stage, get(), hear=1, reply=saying(answer(b"x" * 900, NAMED)[:-1]))
    await leave(stage, get(), reply=saying(then=hang))
    await leave(stage, get(fields=b"X-A: " + b"a" * 300 * KIB), hear=1)
    await leave(stage, bytes(300))
    await leave(stage, get()[:-2])


async def test_gateway_holds_nothing_of_broken_calls(stage: Stage) -> None:
    process = worker(stage)
    for _ in range(3):
        await all_kinds_once(stage)
    await stage.good_call()
    await eventually(lambda: len(held(stage, process)) <= ASKED_FOR_HEALTH)
    before, files = process.memory_info().rss, process.num_fds()
    for _ in range(ROUNDS):
        await all_kinds_once(stage)
    await stage.good_call()
    await eventually(lambda: len(held(stage, process)) <= ASKED_FOR_HEALTH)
    await eventually(lambda: process.num_fds() <= files + 4)
    assert process.memory_info().rss - before < MAX_GROWTH


def held(stage: Stage, process: psutil.Process) -> list[object]:
    """Connections from callers, and those to services; these are kept for some seconds."""
    behind = int(stage.behind.address.rsplit(":", 1)[1])
    return [
        each
        for each in process.net_connections("tcp")
        if each.raddr and (each.laddr.port == stage.gateway.port or each.raddr.port == behind)
    ]


async def test_log_is_in_the_gateways_own_words(stage: Stage) -> None:
    """One JSON object a line, of events that are known: whatever was sent, nothing is in there."""
    await stage.good_call()
    lines = stage.gateway.child.log.read_bytes().splitlines()
    assert lines
    assert {orjson.loads(line)["event"] for line in lines} <= EXPECTED_EVENTS
    for word in (b"forged", b"poison", b"079301000001", b"Bearer", b"10.0.0.1"):
        assert not [line for line in lines if word in line]


async def test_every_record_of_the_catalogue_is_sealed(stage: Stage) -> None:
    await stage.good_call()
    # In one statement: sums of a minute may be written meanwhile.
    counts = "SELECT (SELECT sum(count) FROM ledger_seal), (SELECT count(*) FROM access_record)"
    sealed, written = await stage.ledger.fetchrow(counts)
    assert sealed == written
