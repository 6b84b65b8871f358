"""Changes are announced, and calls go on without their callers, up to a bound and a shutdown."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest

from gateway.ledger.records import AccessOutcome
from tests.gateway.proxy.ways_out import KINDS, Case
from tests.support.fake_upstream import AS_CLIENT, Behind, Door
from tests.support.waiting import eventually

CHANGES = [name for name, kind in KINDS.items() if kind.announced]


@pytest.mark.parametrize("kind", CHANGES)
async def test_change_is_announced_before_its_service_is_asked(
    door: Door, behind: Behind, kind: str
) -> None:
    case = Case(door, behind, KINDS[kind])
    reader, writer = await case.ask()
    (first,) = door.records.recorded
    assert (first.status, first.outcome) == (0, AccessOutcome.UNKNOWN)
    assert first.request_sha256
    case.go.set()
    assert b" 201 " in await reader.readline()
    writer.close()
    _, second = door.records.recorded
    assert (second.completes, second.status, second.outcome) == (
        first.id,
        201,
        AccessOutcome.ALLOWED,
    )


@pytest.mark.parametrize("kind", CHANGES)
async def test_change_that_was_announced_is_answered_only_once_its_end_is_on_record(
    door: Door, behind: Behind, kind: str
) -> None:
    case = Case(door, behind, KINDS[kind])
    door.records.open.clear()
    case.go.set()
    reader, writer = await case.ask()
    line = asyncio.create_task(reader.readline())
    await eventually(lambda: len(door.records.recorded) == 2)
    assert not line.done()
    door.records.open.set()
    assert b" 201 " in await line
    writer.close()


async def test_so_many_calls_go_on_without_their_callers_and_no_more(
    door: Door, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.proxy.detached_calls.MAX_DETACHED_CALLS", 2)
    case = Case(door, behind, KINDS["personal read"])
    for client in ("first", "second", "third", "fourth"):
        await _leave_a_call(case, client)
    await eventually(lambda: door.upstream.in_flight == 2)
    assert [each.outcome for each in case.told] == [AccessOutcome.UNKNOWN] * 4
    case.go.set()
    await eventually(lambda: [each.outcome for each in case.told].count(AccessOutcome.ALLOWED) == 2)


@pytest.mark.parametrize("kind", ["personal read", "filing"])
async def test_one_client_leaves_places_for_calls_of_others_that_go_on(
    door: Door, behind: Behind, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The share of one client is a third of the places."""
    monkeypatch.setattr("gateway.proxy.detached_calls.MAX_DETACHED_CALLS", 6)
    case = Case(door, behind, KINDS[kind])
    for _ in range(8):
        await _leave_a_call(case, "greedy")
    await _leave_a_call(case, "other")
    case.go.set()
    await eventually(lambda: door.upstream.in_flight == 0)
    assert _known(case) == {"greedy": 2, "other": 1}


def _known(case: Case) -> Counter[str | None]:
    """Count, by client, the calls whose outcome became known."""
    return Counter(each.client for each in case.told if each.outcome is AccessOutcome.ALLOWED)


async def _leave_a_call(case: Case, client: str) -> None:
    """Call as `client` and hang up; return once the leaving is on record."""
    asked, recorded = case.behind.asked, case.door.records.recorded
    before = len(asked), len(recorded)
    _, writer = await asyncio.open_connection("127.0.0.1", case.door.port)
    line, rest = case.kind.sent.split(b"\r\n", 1)
    writer.write(b"%b\r\n%b: %b\r\n%b" % (line, AS_CLIENT.encode(), client.encode(), rest))
    await eventually(partial(_has_more, asked, before[0]))
    writer.close()
    await eventually(partial(_has_more, recorded, before[1] + case.kind.announced))


def _has_more(found: Sequence[object], than: int) -> bool:
    return len(found) > than


async def test_shutdown_waits_for_late_answers_and_leaves_the_rest_unknown(
    door: Door, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.proxy.detached_calls.DRAIN_S", 0.1)
    assert door.forwarder
    case = Case(door, behind, KINDS["filing"])
    _, writer = await case.ask()
    writer.close()
    await eventually(lambda: case.told)
    await door.forwarder.drain()
    assert door.upstream.in_flight == 0
    assert [each.outcome for each in door.records.recorded] == [AccessOutcome.UNKNOWN] * 2


@pytest.mark.parametrize("kind", KINDS)
async def test_call_that_ends_with_its_process_is_noted_as_unknown(
    door: Door, behind: Behind, kind: str
) -> None:
    case = Case(door, behind, KINDS[kind])
    before = asyncio.all_tasks()
    _, writer = await case.ask()
    [serving] = [
        task for task in asyncio.all_tasks() - before if "run_asgi" in repr(task.get_coro())
    ]
    serving.cancel()
    (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, note.outcome) == (0, AccessOutcome.UNKNOWN)
    writer.close()
