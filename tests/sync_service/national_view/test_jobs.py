"""A pushed dossier without a due date: its longest term, moved on by its waits for papers."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from shared.rules.deadlines import Term, Unit
from shared.runtime.timers import run_timer
from sync_service import timers
from sync_service.agencies.projections import upsert_procedures
from sync_service.indicators.repository.verification import read_cells, recount_cells
from sync_service.indicators.use_cases import count_changes
from sync_service.national_view.handling import Handling
from sync_service.national_view.jobs import BATCH_SIZE, set_missing_terms
from tests.conftest import MORE
from tests.dossier_service.dossiers.test_deadline_oracle import (
    ICT,
    expected_due,
    expected_extension,
)
from tests.sync_service.intake.test_batches import state
from tests.sync_service.national import PROGRESS, National, at, new_code, published, row

FIVE_DAYS = Term(5, Unit.WORKING_DAY)


async def publish(view: National, days: int | None = FIVE_DAYS.duration) -> None:
    async with view.sessions.begin() as session:
        await upsert_procedures(session, [published("1.001193", days)])


async def set_terms_until_none_is_missing(view: National) -> None:
    while True:
        async with view.sessions.begin() as session:
            if not await set_missing_terms(session, observers=(count_changes,)):
                return


def undue(code: str, **over: Any) -> dict[str, Any]:
    """A row without a due date, received on Monday 2 November at 8:30."""
    return row(code=code, due_at=None, **over)


def progress(code: str, day: str, status: int) -> dict[str, Any]:
    return {"code": code, "status": status, "source_time": at(day).isoformat()}


async def latest(view: National, code: str) -> datetime | None:
    query = "SELECT latest_at FROM national_dossier WHERE code = :code"
    found: datetime | None = await view.scalar(query, code=code)
    return found


async def test_wait_for_papers_moves_the_longest_term(empty: National) -> None:
    await publish(empty)
    code = new_code()
    await empty.push(undue(code))
    assert await latest(empty, code) == at("11-09 08:30")
    steps = [
        progress(code, *each)
        for each in (("11-04 09:00", 5), ("11-18 09:00", 4), ("11-19 09:00", 9))
    ]
    assert await empty.progress(*steps) == ["updated"] * 3
    # Fourteen days waited.
    assert await latest(empty, code) == at("11-23 08:30")
    figure = await empty.figure("on_time", period="2026-11", agency="H41")
    assert (figure["counts"]["ended_in_time"], figure["counts"]["ended_late"]) == (1, 0)


@pytest.mark.parametrize("seconds", [0, 5])
async def test_wait_before_the_reception_moves_no_term(empty: National, seconds: int) -> None:
    await publish(empty, 3)
    code = new_code()
    received = at("11-10 09:00")
    told = received + timedelta(seconds=seconds)
    await empty.push(undue(code, status=1, received_at=None))
    await empty.progress(progress(code, "11-02 10:00", 5))
    later = undue(code, status=2, received_at=received.isoformat(), source_time=told.isoformat())
    await empty.push(later)
    await empty.progress(progress(code, "11-20 09:00", 9))
    assert await latest(empty, code) == at("11-13 09:00")
    figure = await empty.figure("on_time", period="2026-11", agency="H41")
    assert (figure["counts"]["ended_in_time"], figure["counts"]["ended_late"]) == (0, 1)


RECEIVED = {"received_at": at("11-04 08:30").isoformat(), "due_at": None}
UNRECEIVED = {"received_at": None, "due_at": None}


# Asked for papers on Monday 2 November, before a reception on Wednesday the 4th at 8:30: five
# working days end on the 11th, moved on by the waits since.
@pytest.mark.parametrize(
    ("before", "since", "end"),
    [
        ([], [], "11-11 08:30"),
        ([("11-03 08:30", 8)], [], "11-11 08:30"),
        ([("11-03 08:30", 8)], [("11-05 08:30", 8), ("11-06 08:30", 4)], "11-11 08:30"),
        ([], [("11-05 08:30", 5), ("11-06 08:30", 4)], "11-12 08:30"),
        # Recalled from a stop that ended the wait.
        (
            [("11-03 08:30", 8)],
            [("11-05 08:30", 5), ("11-06 08:30", 8), ("11-09 08:30", 4)],
            "11-12 08:30",
        ),
    ],
)
async def test_recall_from_before_the_reception_leaves_term_and_waits_by_hand(
    empty: National, before: list[tuple[str, int]], since: list[tuple[str, int]], end: str
) -> None:
    await publish(empty)
    code = new_code()
    asked = row(code=code, status=5) | UNRECEIVED
    await empty.push(asked)
    for step in before:
        await empty.push(progress(code, *step), to=PROGRESS)
    await empty.push(asked | {"status": 4, "source_time": at("11-04 08:30").isoformat()} | RECEIVED)
    for step in since:
        await empty.push(progress(code, *step), to=PROGRESS)
    read = await empty.read(code)
    assert (read["status"], read["received_at"]) == (4, "2026-11-04T01:30:00Z")
    assert await latest(empty, code) == at(end)


@dataclass(frozen=True)
class Life:
    """The rows of one dossier in their order, and its reception."""

    received_at: datetime
    rows: list[dict[str, Any]]


def life(code: str, chance: random.Random) -> Life:
    """Rows at distinct hours, asked for papers now and then, also before the reception.

    The first row tells of the filing, and a later one of the reception, some time after it.
    """
    count = chance.randint(2, 8)
    hours = sorted(chance.sample(range(1, 300), count))
    times = [at("11-02 08:00") + timedelta(hours=hour) for hour in hours]
    reception = chance.choice([0, chance.randrange(count)])
    statuses = [chance.choice([1, 5, 5, 6]) for _ in times[:reception]]
    statuses += [chance.choice([2, 4, 5, 5, 8, 9]) for _ in times[reception:]]
    told: list[dict[str, Any]] = [
        {"code": code, "status": status, "source_time": time.isoformat()}
        for time, status in zip(times, statuses, strict=True)
    ]
    since = chance.choice([timedelta(0), timedelta(minutes=1), timedelta(hours=40)])
    received_at = max(times[reception] - since, at("11-02 08:30"))
    received = undue(**told[reception], received_at=received_at.isoformat())
    told[0] = undue(**told[0], received_at=None)
    return Life(received_at, [*told[:reception], received, *told[reception + 1 :]])


def expected_latest(life: Life) -> datetime:
    """Reckon minute by minute, out of the whole course of the dossier."""
    received_at = life.received_at.astimezone(ICT)
    due = expected_due(received_at, FIVE_DAYS)
    asked = None
    for before, each in pairwise([{"status": 0}, *life.rows]):
        time = datetime.fromisoformat(each["source_time"]).astimezone(ICT)
        if each["status"] == 5 != before["status"]:
            asked = time
        if before["status"] == 5 != each["status"] and asked and time > received_at:
            due = expected_extension(due, max(asked, received_at), time)
    return due


async def push(view: National, told: dict[str, Any]) -> None:
    await view.push(told, **({} if "procedure" in told else {"to": PROGRESS}))


@pytest.mark.timeout(600)
async def test_row_and_catalogue_in_any_order_make_the_same_state(empty: National) -> None:
    chance = random.Random(766)
    lives = {code: life(code, chance) for code in (new_code() for _ in range(12 * MORE))}
    seen = []
    for place in ("first", "last", "between"):
        await forget(empty)
        told = [each for its_life in lives.values() for each in its_life.rows]
        if place != "first":
            chance.shuffle(told)
        cut = {"first": 0, "last": len(told), "between": len(told) // 2}[place]
        for each in told[:cut]:
            await push(empty, each)
        await publish(empty)
        for each in told[cut:]:
            await push(empty, each)
        await set_terms_until_none_is_missing(empty)
        seen.append(await state(empty))
        async with empty.sessions() as session:
            assert dict(await read_cells(session)) == dict(await recount_cells(session))
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]
    for code, its_life in lives.items():
        assert await latest(empty, code) == expected_latest(its_life), its_life


async def forget(view: National) -> None:
    tables = "national_dossier, dossier_event, held_progress, national_party"
    async with view.sessions.begin() as session:
        await session.execute(text(f"TRUNCATE {tables}, national_party_pending, tally, procedure"))


async def test_procedure_without_a_term_leaves_its_dossiers_apart(empty: National) -> None:
    code = new_code()
    await empty.push(undue(code))
    await publish(empty, None)
    await set_terms_until_none_is_missing(empty)
    assert await latest(empty, code) is None
    outcome = "SELECT DISTINCT outcome FROM tally"
    assert await empty.scalar(outcome) == Handling.OPEN


async def test_term_is_found_for_the_form_that_the_row_names(empty: National) -> None:
    """The localised form has no term, the national one has."""
    codes = [new_code(), new_code()]
    await empty.push(undue(codes[0], procedure="1.001193.H41"), undue(codes[1]))
    async with empty.sessions.begin() as session:
        await upsert_procedures(
            session, [published("1.001193", 5), published("1.001193.H41", None)]
        )
    await set_terms_until_none_is_missing(empty)
    assert [await latest(empty, code) for code in codes] == [None, at("11-09 08:30")]


@pytest.mark.parametrize(("own", "national"), [(5, None), (None, 5), (5, 30)])
async def test_late_term_is_found_in_either_written_form(
    empty: National, own: int | None, national: int | None
) -> None:
    forms = ("1.001193.H41.14", "1.001193.000.00.14.H41")
    expected = None if own is None else at("11-09 08:30")
    for listed in forms:
        await forget(empty)
        codes = [new_code(), new_code()]
        pairs = zip(codes, forms, strict=True)
        await empty.push(*(undue(code, procedure=form) for code, form in pairs))
        async with empty.sessions.begin() as session:
            await upsert_procedures(
                session, [published("1.001193", national), published(listed, own)]
            )
        await set_terms_until_none_is_missing(empty)
        assert [await latest(empty, code) for code in codes] == [expected, expected]
        assert [(await empty.read(code))["procedure"] for code in codes] == list(forms)


async def test_later_version_leaves_a_term_that_was_found(empty: National) -> None:
    code = new_code()
    await empty.push(undue(code))
    await publish(empty)
    await set_terms_until_none_is_missing(empty)
    async with empty.sessions.begin() as session:
        await upsert_procedures(session, [published("1.001193", 30, version=2)])
    await set_terms_until_none_is_missing(empty)
    assert await latest(empty, code) == at("11-09 08:30")


async def test_all_dossiers_of_a_late_procedure_are_judged_in_one_run(empty: National) -> None:
    codes = [new_code() for _ in range(BATCH_SIZE + 1)]
    await empty.push(*(undue(code) for code in codes))
    await publish(empty)
    (timer,) = (each for each in timers.TIMERS if each.act is timers.set_missing_terms)
    await run_timer(empty.sessions, timer)
    assert await empty.scalar("SELECT count(*) FROM national_dossier WHERE latest_at IS NULL") == 0
