"""What all share is divided: one holder alone can work, and nobody is kept out by one."""

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession

from gateway.ledger.records import AccessOutcome
from gateway.operations.model import KIB
from gateway.proxy import bodies
from shared.web.bodies.shares import Shares
from tests.support.fake_upstream import AS_CLIENT, Behind, Door, answer, door_before, hang
from tests.support.waiting import eventually

LIST = "/dossier/v1/dossiers"
SYNC = "/sync/v1/dossiers"
VERIFY = "/identity/v1/verifications"


async def test_one_client_leaves_slots_of_a_service_to_others(
    behind: Behind, caller: ClientSession
) -> None:
    behind.reply = hang
    async with door_before(behind, slots=9) as door:
        storm = [
            asyncio.create_task(caller.get(f"{door.url}{LIST}", headers={AS_CLIENT: "greedy"}))
            for _ in range(9)
        ]
        refused = await eventually(lambda: [each for each in storm if each.done()])
        for each in refused:
            response = each.result()
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
            assert (await response.json(content_type=None))["type"] == "/problems/slots-taken"
        await eventually(lambda: sum(each.done() for each in storm) + door.upstream.in_flight == 9)
        assert 1 < door.upstream.in_flight < 5
        behind.reply = answer(b"{}")
        async with caller.get(f"{door.url}{LIST}", headers={AS_CLIENT: "other"}) as response:
            assert response.status == 200
        for each in storm:
            each.cancel()
        await eventually(lambda: door.upstream.in_flight == 0)


async def test_body_below_the_lowest_rate_loses_its_slot(
    door: Door, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_WINDOW_S", 0.2)
    door.timeout_s = 60.0
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = f"POST {SYNC} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    writer.write(head.encode() + b"x" * 70 * KIB)
    await eventually(lambda: door.upstream.in_flight)
    (note,) = await eventually(lambda: door.records.noted)
    assert note.status == 408
    assert door.upstream.in_flight == 0
    writer.transport.abort()


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shares]:
    memory = Shares(400 * KIB)
    monkeypatch.setattr(bodies, "_memory", memory)
    yield memory
    assert memory.taken == 0


async def test_bodies_under_way_of_one_client_leave_memory_to_others(
    behind: Behind, caller: ClientSession, little_memory: Shares
) -> None:
    async with door_before(behind) as door:
        writers = []
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            head = f"POST {VERIFY} HTTP/1.1\r\nHost: a\r\n{AS_CLIENT}: greedy\r\n"
            writer.write(f"{head}Content-Length: {60 * KIB}\r\n\r\n{{".encode())
            writers.append(writer)
        (record,) = await eventually(lambda: door.records.recorded)
        # Its own doing: no fault of the gateway, that the budget for errors would pay.
        assert (record.status, record.outcome) == (429, AccessOutcome.REFUSED)
        async with caller.post(
            f"{door.url}{VERIFY}", data=b"{}", headers={AS_CLIENT: "other"}
        ) as response:
            assert response.status == 200
        assert little_memory.taken == 2 * 60 * KIB
        for writer in writers:
            writer.transport.abort()
        await eventually(lambda: little_memory.taken == 0)


# The holder of the memory, how much it holds, and the answer to the client `greedy`.
MEMORY_TAKEN = {
    "by the client": ("greedy", 200 * KIB, (429, "/problems/memory-share-taken")),
    "by others": ("other", 400 * KIB, (503, "/problems/memory-taken")),
}


@pytest.mark.parametrize("taken", MEMORY_TAKEN)
async def test_refusal_for_memory_says_whose_bodies_hold_it(
    door: Door, caller: ClientSession, little_memory: Shares, taken: str
) -> None:
    holder, amount, told = MEMORY_TAKEN[taken]
    little_memory.take(holder, amount)
    body, headers = b"x" * 60 * KIB, {AS_CLIENT: "greedy"}
    async with caller.post(f"{door.url}{VERIFY}", data=body, headers=headers) as response:
        problem = await response.json(content_type=None)
        assert (response.status, problem["type"]) == told
        assert int(response.headers["Retry-After"]) > 0
    little_memory.give_back(holder, amount)
