"""No client opens the breaker for others, whatever it does, while the service answers."""

import asyncio
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.breaker import Breaker, Failure
from tests.gateway.http1.loop_clock import LoopClock
from tests.support.fake_upstream import (
    AS_CLIENT,
    NAMED,
    Answering,
    Behind,
    answer,
    breaking,
    door_before,
    hang,
)
from tests.support.waiting import eventually

LIST = "/dossier/v1/dossiers"
VERIFY = "/identity/v1/verifications"
PAUSE_S = 3.0
OF_CALLS = (Failure.SILENT, Failure.BROKEN, Failure.TIMED_OUT)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "begin", "fail", "answer", "answer late"]),
        st.sampled_from("abcd"),
        st.integers(0, 9),
        st.sampled_from(OF_CALLS),
    ),
    max_size=80,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Begun:
    holder: str
    since: int
    answered_since: bool = False


@given(steps=STEPS)
def test_breaker_counts_holders_that_failed_while_nobody_was_answered(
    steps: list[tuple[str, str, int, Failure]],
) -> None:
    breaker, calls, failing = Breaker(3, PAUSE_S, Clock()), list[Begun](), set[str]()
    for act, holder, which, kind in steps:
        if act == "begin":
            calls.append(Begun(holder, breaker.answers))
        elif not calls:
            continue
        elif act == "fail":
            call = calls.pop(which % len(calls))
            breaker.count_failure(kind, holder=call.holder, since=call.since)
            if not call.answered_since:
                failing.add(call.holder)
        else:
            calls.pop(which % len(calls))
            if act == "answer":
                breaker.count_success()
                failing.clear()
            else:
                breaker.count_late_answer()
            for call in calls:
                call.answered_since = True
        assert breaker.is_open == (len(failing) >= 3)


FAILING: dict[str, tuple[Answering, int]] = {
    "says nothing": (hang, 504),
    "hangs up": (breaking(b""), 502),
    "says half an answer": (breaking(answer(b"x" * 9, NAMED)[:-1]), 502),
}


@pytest.mark.parametrize("how", FAILING)
async def test_failures_of_one_client_close_the_service_to_nobody(
    behind: Behind, caller: ClientSession, how: str
) -> None:
    reply, status = FAILING[how]
    async with door_before(behind, breaker=Breaker()) as door:
        patience, behind.reply = door.timeout_s, reply
        door.timeout_s = 0.3 if reply is hang else patience
        greedy = {AS_CLIENT: "greedy"}
        calls = [caller.post(f"{door.url}{VERIFY}", data=b"{}", headers=greedy) for _ in range(10)]
        assert {each.status for each in await asyncio.gather(*calls)} == {status}
        door.timeout_s, behind.reply = patience, answer(b"{}")
        async with caller.get(f"{door.url}{LIST}", headers={AS_CLIENT: "other"}) as response:
            assert response.status == 200


async def test_service_that_answers_nobody_is_left_alone(
    behind: Behind, caller: ClientSession
) -> None:
    async with door_before(behind, breaker=Breaker()) as door:
        door.timeout_s, behind.reply = 0.3, hang
        calls = [caller.get(f"{door.url}{LIST}", headers={AS_CLIENT: f"{n}"}) for n in range(5)]
        assert {each.status for each in await asyncio.gather(*calls)} == {504}
        async with caller.get(f"{door.url}{LIST}", headers={AS_CLIENT: "other"}) as response:
            assert response.status == 503


async def test_time_out_beside_an_answer_to_another_does_not_count(
    behind: Behind, caller: ClientSession
) -> None:
    clock, breaker = LoopClock(), Breaker(1)
    async with door_before(behind, breaker=breaker) as door:
        door.timeout_s, behind.reply = 30.0, hang
        late = asyncio.create_task(caller.get(f"{door.url}{LIST}"))
        await eventually(lambda: behind.asked)
        behind.reply = answer(b"{}")
        assert (await caller.get(f"{door.url}{LIST}", headers={AS_CLIENT: "other"})).status == 200
        await clock.pass_by(31.0)
        assert (await late).status == 504
    assert breaker.failures == 0


async def test_late_answer_shows_that_the_service_answers(
    behind: Behind, caller: ClientSession
) -> None:
    """It works on one call at a time: the second waits for the first, which is late itself."""
    clock, breaker, finish = LoopClock(), Breaker(2), asyncio.Event()

    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await finish.wait()
        writer.write(answer(b"{}", NAMED))

    async with door_before(behind, breaker=breaker) as door:
        door.timeout_s, behind.reply = 20.0, reply
        first = asyncio.create_task(caller.post(f"{door.url}{VERIFY}", data=b"{}"))
        await eventually(lambda: len(behind.asked) == 1)
        await clock.pass_by(21.0)
        assert ((await first).status, breaker.failures) == (504, 1)
        behind.reply, other = hang, {AS_CLIENT: "other"}
        second = asyncio.create_task(caller.get(f"{door.url}{LIST}", headers=other))
        await eventually(lambda: len(behind.asked) == 2)
        finish.set()
        await eventually(lambda: breaker.answers)
        await clock.pass_by(21.0)
        assert (await second).status == 504
    assert (breaker.failures, breaker.is_open) == (1, False)


def test_holder_whose_probe_failed_lets_others_probe_first() -> None:
    clock = Clock()
    breaker = Breaker(1, PAUSE_S, clock)
    breaker.count_failure(Failure.TIMED_OUT, holder="slow", since=0)
    clock.now = PAUSE_S
    assert breaker.seconds_until_probe(holder="slow") == PAUSE_S
    assert breaker.seconds_until_probe(holder="other") == 0.0
    breaker.end_probe()
    clock.now = 2 * PAUSE_S
    assert breaker.seconds_until_probe(holder="slow") == 0.0
