"""Each way out of a call after its service was asked, for each kind of operation."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product

import pytest
from aiohttp import ClientSession
from starlette.types import Message

from gateway.http1.deadline import require_current_task
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import AccessOutcome
from gateway.operations.matching import Match, match_operation
from gateway.proxy.call import Call
from gateway.proxy.headers import Trace
from shared.observability.metrics import REQUEST_SECONDS
from tests.gateway.proxy.test_upstream import silent_when_asked_again
from tests.gateway.proxy.ways_out import (
    DOSSIER,
    FILED,
    FORBIDDEN,
    KINDS,
    NOT_MODIFIED,
    REFUSED,
    Case,
    answer_is_no_http,
    answer_names_nobody,
    caller_closes_its_half_at_once,
    caller_leaves,
    caller_leaves_a_quick_call_while_it_is_recorded,
    caller_leaves_and_nothing_comes,
    caller_leaves_before_a_refusal,
    caller_leaves_while_a_304_is_recorded,
    caller_leaves_while_a_403_is_recorded,
    caller_leaves_while_a_422_is_recorded,
    caller_leaves_while_its_record_is_written,
    caller_leaves_within_the_answer,
    head_is_oversize,
    service_breaks_off,
    service_breaks_off_within_its_answer,
    service_hangs_up_silently,
    service_is_late,
    service_never_answers,
)
from tests.support.fake_upstream import SUBJECT, Behind, Door
from tests.support.waiting import eventually

WaysOut = Callable[[Case], Awaitable[None]]
# What the last record says: the caller's answer, and what the service did.
RECORDED: dict[WaysOut, tuple[int, AccessOutcome]] = {
    caller_leaves: (499, AccessOutcome.ALLOWED),
    caller_leaves_and_nothing_comes: (499, AccessOutcome.UNKNOWN),
    caller_leaves_before_a_refusal: (499, AccessOutcome.NO_EFFECT),
    caller_leaves_while_its_record_is_written: (499, AccessOutcome.ALLOWED),
    caller_leaves_while_a_304_is_recorded: (499, AccessOutcome.ALLOWED),
    caller_leaves_while_a_403_is_recorded: (499, AccessOutcome.REFUSED),
    caller_leaves_while_a_422_is_recorded: (499, AccessOutcome.NO_EFFECT),
    caller_leaves_a_quick_call_while_it_is_recorded: (499, AccessOutcome.ALLOWED),
    caller_leaves_within_the_answer: (201, AccessOutcome.ALLOWED),
    caller_closes_its_half_at_once: (499, AccessOutcome.ALLOWED),
    service_is_late: (504, AccessOutcome.ALLOWED),
    service_never_answers: (504, AccessOutcome.UNKNOWN),
    service_breaks_off: (502, AccessOutcome.UNKNOWN),
    service_breaks_off_within_its_answer: (201, AccessOutcome.ALLOWED),
    service_hangs_up_silently: (502, AccessOutcome.UNKNOWN),
    answer_is_no_http: (502, AccessOutcome.UNKNOWN),
    head_is_oversize: (502, AccessOutcome.UNKNOWN),
    answer_names_nobody: (502, AccessOutcome.UNKNOWN),
}
# A call that is noted alone ends with its caller: its answer is then never known.
ENDS_WITH_ITS_CALLER = {caller_leaves, caller_leaves_before_a_refusal, service_is_late}
# The caller has a part of what it wanted to read; a change took effect all the same.
FAILS_WHERE_IT_READS = {caller_leaves_within_the_answer, service_breaks_off_within_its_answer}
OF_RECORDED = {
    caller_closes_its_half_at_once,
    caller_leaves_while_its_record_is_written,
    caller_leaves_while_a_304_is_recorded,
    caller_leaves_while_a_403_is_recorded,
    caller_leaves_while_a_422_is_recorded,
    caller_leaves_a_quick_call_while_it_is_recorded,
}
TABLE = [
    (way, kind)
    for way, kind in product(RECORDED, KINDS)
    if (KINDS[kind].recorded or way not in OF_RECORDED)
    and ((KINDS[kind].recorded and KINDS[kind].personal) or way is not answer_names_nobody)
]


@pytest.mark.parametrize(("way", "kind"), TABLE, ids=lambda each: getattr(each, "__name__", each))
async def test_outcome_is_unknown_until_the_answer_completes_it(
    door: Door, behind: Behind, way: WaysOut, kind: str
) -> None:
    case, measured = Case(door, behind, KINDS[kind]), _count_measured()
    await way(case)
    status, outcome = RECORDED[way]
    if not case.kind.recorded and way in ENDS_WITH_ITS_CALLER:
        outcome = AccessOutcome.UNKNOWN
    if not case.kind.changes and way in FAILS_WHERE_IT_READS:
        outcome = AccessOutcome.FAILED
    last = await eventually(lambda: _last(case, status, outcome))
    await eventually(lambda: door.upstream.in_flight == 0)
    assert case.told[-1] is last, [(each.status, each.outcome) for each in case.told]
    assert _count_measured() == measured + 1
    assert last.response_sha256 is None
    if outcome is AccessOutcome.ALLOWED:
        assert (last.subjects, last.dossier) == ((SUBJECT,), DOSSIER)
    assert_one_chain(case)


def _last(case: Case, status: int, outcome: AccessOutcome) -> AccessRecordDraft | None:
    found = [each for each in case.told if (each.status, each.outcome) == (status, outcome)]
    return found[-1] if found else None


def _count_measured() -> float:
    samples = [sample for metric in REQUEST_SECONDS.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("_count"))


def assert_one_chain(case: Case) -> None:
    """Before the service was asked a change is on record; what follows completes the first."""
    if not case.kind.recorded:
        assert len(case.told) == 1
        return
    first, *rest = case.door.records.recorded
    assert first.completes is None
    assert [each.completes for each in rest] == [first.id] * len(rest)
    assert len({each.id for each in case.door.records.recorded}) == 1 + len(rest)
    if case.kind.announced:
        assert (first.status, first.outcome) == (0, AccessOutcome.UNKNOWN)
    assert not any(
        (each.status, each.outcome) == (200, AccessOutcome.ALLOWED)
        for each in case.door.records.recorded
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_service_that_cannot_be_reached_did_nothing(
    door: Door, behind: Behind, kind: str
) -> None:
    case = Case(door, behind, KINDS[kind])
    door.upstream._address = door.upstream._address._replace(port=9)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(case.kind.sent)
    assert b" 503 " in await reader.readline()
    writer.close()
    await eventually(lambda: case.told)
    last = case.told[-1]
    assert (last.status, last.outcome) == (503, AccessOutcome.FAILED)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (FILED, AccessOutcome.ALLOWED),
        (NOT_MODIFIED, AccessOutcome.ALLOWED),
        (FORBIDDEN, AccessOutcome.REFUSED),
        (REFUSED, AccessOutcome.NO_EFFECT),
    ],
    ids=["201", "304", "403", "422"],
)
async def test_answer_that_could_not_be_recorded_is_told_as_such(
    door: Door, behind: Behind, reply: bytes, outcome: AccessOutcome
) -> None:
    """Its record may still be written, and must not say that the caller had the answer."""
    case = Case(door, behind, KINDS["personal read"], reply)
    door.records.away = True
    case.go.set()
    assert await case.answered() == 503
    (note,) = door.records.noted
    assert (note.status, note.outcome) == (503, outcome)
    assert note.subjects == ((SUBJECT,) if outcome is AccessOutcome.ALLOWED else ())
    assert (note.completes is None, note.response_sha256) == (False, None)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.recorded])
async def test_answer_in_the_moment_of_the_callers_leaving_is_the_outcome(
    door: Door, kind: str
) -> None:
    """The answer comes before the task that records the leaving has begun."""
    method, path = KINDS[kind].line.split()
    match = match_operation(method, path)
    assert isinstance(match, Match)
    trace = Trace("request-1", f"00-{'a' * 32}-{'b' * 16}-01")
    call = Call(match, trace, ledger=door.records, send=_send_nothing, task=require_current_task())
    call.announce_service_call(None)
    call.give_up(None)
    await call.record_and_answer(201, [(b"x-subject", SUBJECT.encode())], b"{}", None)
    last = door.records.recorded[-1]
    assert (last.status, last.outcome, last.subjects) == (499, AccessOutcome.ALLOWED, (SUBJECT,))
    assert {each.outcome for each in door.records.recorded} <= {
        AccessOutcome.UNKNOWN,
        AccessOutcome.ALLOWED,
    }


async def _send_nothing(message: Message) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.recorded])
async def test_service_that_is_not_reached_after_the_caller_left_did_nothing(
    door: Door, behind: Behind, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    case, asked = Case(door, behind, KINDS[kind]), asyncio.Event()

    async def refuse(*_: object) -> None:
        asked.set()
        await case.go.wait()
        raise ConnectionRefusedError

    monkeypatch.setattr("gateway.http1.pool.ConnectionPool.open", refuse)
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(case.kind.sent)
    await asked.wait()
    writer.close()
    (left,) = await eventually(lambda: case.told)
    assert (left.status, left.outcome) == (499, AccessOutcome.UNKNOWN)
    case.go.set()
    _, last = await eventually(lambda: case.told[1:] and case.told)
    assert (last.status, last.outcome) == (499, AccessOutcome.FAILED)
    assert_one_chain(case)


async def test_change_that_may_have_been_sent_before_stays_unknown(
    door: Door, behind: Behind, caller: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DELETE is sent anew where its connection turns out to be closed, and cannot be now."""

    async def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    path = f"{door.url}/sync/v1/dead-letters/7"
    behind.reply = silent_when_asked_again(behind)
    assert (await caller.delete(path)).status == 200
    monkeypatch.setattr("gateway.http1.pool.ConnectionPool.open", refuse)
    assert (await caller.delete(path)).status == 503
    *_, announced, last = door.records.recorded
    assert last.completes == announced.id
    assert (last.status, last.outcome) == (503, AccessOutcome.UNKNOWN)
