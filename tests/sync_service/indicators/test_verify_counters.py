"""After any history the stored counters equal a count of all dossiers from the beginning."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.events import DossierEvent
from sync_service.indicators.repository.verification import read_cells, recount_cells
from tests.support.service_commands import run_service_command
from tests.sync_service.national import EXTERNAL, National, filed, moved, new_code, progressed

AGENCIES = ["H41.101", "H41.102", "H41", "H26.101", "G15.02", "000.00.02.G15"]
PROCEDURES = ["1.001193", "1.001193.H41", "2.000815"]
ANY_RIGHT: dict[str, Any] = {"agencies": None}


def some_time(chance: random.Random) -> datetime:
    return datetime(2026, 9, 28, tzinfo=UTC) + timedelta(hours=chance.randrange(24 * 40))


def later_than(time: datetime, chance: random.Random, hours: int) -> datetime:
    return time + timedelta(hours=chance.randrange(hours))


def some_facts(chance: random.Random) -> dict[str, Any]:
    """Instants in their only possible order; received or not."""
    filed_at = some_time(chance)
    received_at = later_than(filed_at, chance, 100)
    return {
        "procedure": chance.choice(PROCEDURES),
        "channel": chance.randint(1, 3),
        "received_by": chance.choice(AGENCIES),
        "decided_by": chance.choice(AGENCIES),
        "helped_by": chance.choice([None, *AGENCIES]),
        "filed_at": filed_at,
        "received_at": received_at,
        "due_at": chance.choice([None, later_than(received_at, chance, 600)]),
    }


def some_row(chance: random.Random, code: str) -> dict[str, Any]:
    status, facts = chance.randint(1, 10), some_facts(chance)
    end = later_than(facts["received_at"], chance, 300)
    is_received = status not in {1, 3}
    opened_at = facts["received_at" if is_received else "filed_at"]
    told = facts | {
        "code": code,
        "status": status,
        "source_time": max(some_time(chance), opened_at),
        "received_at": facts["received_at"] if is_received else None,
        "finished_at": end if status in {9, 10} and chance.random() < 0.5 else None,
    }
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in told.items()
    }


def some_progress(chance: random.Random, code: str) -> dict[str, Any]:
    time = some_time(chance).isoformat()
    return {"code": code, "status": chance.randint(2, 10), "source_time": time, "step": "desk"}


def some_event(chance: random.Random, code: str) -> DossierEvent:
    version, status = chance.randint(2, 9), chance.randint(1, 10)
    facts = some_facts(chance) | {"at": datetime(2026, 11, 20, version, tzinfo=UTC)}
    facts["received_at"] = chance.choice([None, facts["received_at"]])
    facts["latest_at"] = chance.choice([None, later_than(facts["filed_at"], chance, 600)])
    match chance.randrange(3):
        case 0:
            return filed(code, **facts)
        case 1:
            return moved(code, version, status, **facts)
        case _:
            return progressed(code, version, "desk", **facts)


@pytest.mark.parametrize("seed", range(8))
async def test_counters_equal_a_recount_after_any_history(empty: National, seed: int) -> None:
    chance = random.Random(seed)
    theirs = [new_code() for _ in range(12)]
    ours = [new_code("H26.101") for _ in range(6)]
    told: list[dict[str, Any]] = []
    events: list[DossierEvent] = []
    for _ in range(12):
        told += [some_row(chance, chance.choice(theirs)) for _ in range(15)]
        events += [some_event(chance, chance.choice(ours + theirs[:2])) for _ in range(15)]
        # Some of it again, and none of it in order.
        await empty.push(*chance.sample(told, 20 if len(told) > 20 else 15), right=ANY_RIGHT)
        await empty.progress(
            *(some_progress(chance, chance.choice(theirs)) for _ in range(10)), right=ANY_RIGHT
        )
        await empty.project(*chance.sample(events, 12))
    async with empty.sessions() as session:
        counted, expected = await read_cells(session), await recount_cells(session)
    assert dict(counted) == dict(expected)
    assert expected
    assert all(count > 0 for count in counted.values())
    await list_says_what_the_indicator_says(empty)


async def list_says_what_the_indicator_says(view: National) -> None:
    figure = await view.figure("on_time", period="2026")
    late = await view.codes(overdue=True, limit=500)
    assert len(late) == figure["counts"]["open_late"]
    others = await view.codes(overdue=False, limit=500)
    assert await view.scalar("SELECT count(*) FROM national_dossier") == len(late) + len(others)
    for code in late[:3] + others[:3]:
        assert (await view.read(code))["overdue"] is (code in late)


async def test_order_of_events_does_not_matter(empty: National) -> None:
    codes = [new_code("H26.101") for _ in range(4)]
    history = [
        event
        for code in codes
        for event in (
            filed(code),
            progressed(code, 2, "appraisal"),
            moved(code, 3, 9),
            moved(code, 4, 10),
        )
    ]
    for number, order in enumerate(("0123", "3210", "1302", "2031")):
        for place in order:
            await empty.project(history[4 * number + int(place)])
    reads = [await empty.read(code) for code in codes]
    facts = [{key: read[key] for key in read.keys() - {"code"}} for read in reads]
    assert facts[1:] == facts[:1] * 3
    assert facts[0]["ended_at"] == "2026-11-02T04:00:00Z"  # that of status 9, version 3
    timelines = [await empty.timeline(code) for code in codes]
    assert timelines[1:] == timelines[:1] * 3


async def test_empty_cells_do_not_stay(empty: National) -> None:
    code = new_code("H26.101")
    await empty.project(filed(code))
    before = await empty.scalar("SELECT count(*) FROM tally")
    due = datetime(2026, 12, 1, tzinfo=UTC)
    await empty.project(moved(code, 2, 4, due_at=due), moved(code, 3, 4, due_at=None))
    assert await empty.scalar("SELECT count(*) FROM tally") == before == 12


async def test_two_writers_at_once_lose_no_count(empty: National) -> None:
    async def write(number: int) -> None:
        rows = [
            some_row(random.Random(place), new_code()) | {"source_time": "2026-11-20T00:00:00Z"}
            for place in range(20)
        ]
        await empty.push(*rows, right=ANY_RIGHT, by=f"{EXTERNAL}-{number}")

    await asyncio.gather(*(write(number) for number in range(8)))
    async with empty.sessions() as session:
        assert dict(await read_cells(session)) == dict(await recount_cells(session))
    assert await empty.scalar("SELECT count(*) FROM national_dossier") == 160


async def test_recount_is_a_command_that_names_what_differs(empty: National) -> None:
    await empty.project(filed(new_code("H26.101")))
    done = run_service_command(empty.settings, "verify-counters")
    assert (done.returncode, done.stdout) == (0, "12 counters: all equal a recount\n")
    async with empty.sessions.begin() as session:
        await session.execute(text("UPDATE tally SET count = 3 WHERE agency = 'VN' AND grain = 2"))
    done = run_service_command(empty.settings, "verify-counters")
    assert done.returncode == 1
    # of the procedure and of all procedures
    lines = done.stdout.splitlines()
    assert lines[-1] == "12 counters: 2 DIFFER"
    assert lines[0] == (
        "VN BOTH, MONTH 2026-11-01, procedure all, channel 2, OPEN, due 2026-11-09: "
        "3 stored, 1 counted"
    )
