"""Rules that need several changes or days to show: deadlines that move, walks through statuses."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from shared.codes.enums import DossierStatus
from shared.rules.statuses import needs_reason, permitted_statuses
from tests.dossier_service.desk import BIRTH_FEE, SEAL, Desk, at, instant, payment, result


async def test_waiting_for_papers_moves_the_due_date(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.file(procedure=SEAL)
    # Three working days of eight hours from Monday 9:00.
    assert instant(dossier["due_at"]) == at("11-19 09:00")
    desk.now = at("11-18 09:00")
    dossier = await desk.move(dossier, 5)
    assert instant(dossier["due_at"]) == at("11-19 09:00")
    desk.now = at("11-19 15:00")
    dossier = await desk.move(dossier, 4)
    # 30 hours waited: Thursday 9:00 becomes Friday 15:00.
    assert instant(dossier["due_at"]) == at("11-20 15:00")
    assert instant(dossier["due_before_supplement"]) == at("11-19 09:00")


async def test_due_date_moved_into_a_weekend_goes_on_to_monday(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.file(procedure=SEAL)
    desk.now = at("11-17 10:00")
    dossier = await desk.move(dossier, 5)
    desk.now = at("11-19 10:00")
    # 48 hours waited: Thursday 9:00 becomes Saturday 9:00, which is the close of Monday.
    assert instant((await desk.move(dossier, 2))["due_at"]) == at("11-23 17:00")


async def test_waiting_before_reception_moves_the_limit_of_reception(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.file(channel=2)
    desk.now = at("11-16 10:00")
    dossier = await desk.move(dossier, 5)
    desk.now = at("11-18 10:00")
    dossier = await desk.move(dossier, 1)
    # Tuesday 9:00 and 48 hours.
    assert instant(dossier["reception_due_at"]) == at("11-19 09:00")
    assert dossier["due_at"] is None


async def test_reception_out_of_a_supplement_starts_the_clock(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.move(await desk.file(procedure=SEAL, channel=2), 5)
    desk.now = at("11-18 09:00")
    dossier = await desk.move(dossier, 2)
    # Three working days from Wednesday 9:00: Thursday, Friday, Monday 9:00.
    assert instant(dossier["due_at"]) == at("11-23 09:00")
    assert dossier["due_before_supplement"] is None


@pytest.mark.parametrize("path", [(8, 4), (7,), (8,), (8, 10)])
async def test_wait_ends_with_any_move_out_of_it(desk: Desk, path: tuple[int, ...]) -> None:
    desk.now = at("11-30 09:00")
    dossier = await desk.file(procedure=SEAL)
    desk.now = at("12-01 09:00")
    dossier = await desk.move(dossier, 5, reason="papers-missing")
    desk.now = at("12-08 09:00")
    dossier = await desk.move(dossier, *path, reason="applicant-request")
    # Thursday 3 December 9:00 and seven days.
    assert instant(dossier["due_at"]) == at("12-10 09:00")
    assert instant(dossier["due_before_supplement"]) == at("12-03 09:00")


@pytest.mark.parametrize("to", [1, 2, 3, 7, 8])
async def test_any_move_out_of_a_wait_before_reception_moves_the_limit_of_reception(
    desk: Desk, to: int
) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.file(channel=2)
    desk.now = at("11-16 10:00")
    dossier = await desk.move(dossier, 5)
    desk.now = at("11-18 10:00")
    dossier = await desk.move(dossier, to, reason="applicant-request")
    assert instant(dossier["reception_due_at"]) == at("11-19 09:00")


async def act(desk: Desk, random: Random, dossier: dict[str, Any]) -> dict[str, Any]:
    """One change at random, permitted or not; what was refused leaves the dossier as it was."""
    desk.now += timedelta(hours=random.randint(0, 30))
    what = random.choice(["transitions"] * 6 + ["progress", "payments", "results"])
    to = random.choice(list(DossierStatus))
    bodies: dict[str, dict[str, Any]] = {
        "transitions": {"to": to, "reason": random.choice([None, "applicant-request"])},
        "progress": {"step": "desk"},
        "payments": payment(amount_vnd=random.choice([8000, 9000])),
        "results": result(),
    }
    answer = await desk.try_change(dossier, what, bodies[what])
    assert answer.status_code in {200, 201, 409, 422}, answer.text
    if answer.is_error:
        return dossier
    changed: dict[str, Any] = answer.json()
    assert changed["version"] == dossier["version"] + 1
    return changed


@pytest.mark.parametrize("seed", range(12))
async def test_random_walk_stays_in_the_table_and_loses_no_step(desk: Desk, seed: int) -> None:
    random = Random(seed)
    desk.now = at("11-16 09:00")
    dossier = await desk.file(channel=random.choice([1, 2]), fees=[BIRTH_FEE])
    seen: list[Any] = []
    for _ in range(25):
        dossier = await act(desk, random, dossier)
        history = await desk.history(dossier["code"])
        assert history[: len(seen)] == seen
        assert [step["version"] for step in history] == list(range(1, dossier["version"] + 1))
        seen = history
    moves = [step for step in seen if step["act"] == "moved"]
    before = None
    for step in moves:
        current = DossierStatus(step["from_status"])
        assert step["to_status"] in permitted_statuses(current, before=before)
        assert step["reason"] or not needs_reason(current, DossierStatus(step["to_status"]))
        before = current
    told = await desk.events(dossier["code"])
    assert [event["version"] for event in told] == [step["version"] for step in seen]
    if dossier["received_at"] is None:
        assert dossier["due_at"] is None


async def test_clock_that_is_behind_does_not_turn_time_back(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.file(procedure=SEAL)
    desk.now = at("11-16 10:00")
    dossier = await desk.move(dossier, 5)
    desk.now = at("11-16 09:59")
    dossier = await desk.move(dossier, 2)
    assert instant(dossier["due_at"]) == at("11-19 09:00")


async def test_history_keeps_its_order_where_the_clock_is_set_back(desk: Desk) -> None:
    """Each change is a microsecond later than the one before, so that no two are one."""
    desk.now = at("11-16 10:00")
    dossier = await desk.file(fees=[BIRTH_FEE])
    desk.now = at("11-16 09:50")
    dossier = await desk.pay(dossier)
    dossier = await desk.change(await desk.move(dossier, 4), "progress", step="desk-2")
    dossier = await desk.move(await desk.issue(dossier), 9)
    history = await desk.history(dossier["code"])
    assert [step["at"] for step in history] == [
        "2026-11-16T03:00:00Z",
        *(f"2026-11-16T03:00:00.{place:06}Z" for place in range(1, 6)),
    ]
    assert [told["at"] for told in await desk.events(dossier["code"])] == [
        step["at"] for step in history
    ]
