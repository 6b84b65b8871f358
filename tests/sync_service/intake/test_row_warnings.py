"""A row that is unusual is taken, says why in its warnings, and is counted."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import product
from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared.events import ProcedurePublished
from sync_service.agencies.projections import upsert_agencies, upsert_procedures
from tests.sync_service.national import PROGRESS, National, agency, at, new_code, published, row

# From each status to those that may follow it (domain rules of the moves); 3 and 10 are final.
PERMITTED = {
    1: {2, 3, 5, 6, 7},
    2: {4, 5, 6, 7, 8, 9},
    3: set(),
    4: {5, 6, 7, 8, 9},
    5: {1, 2, 3, 4, 7, 8},
    6: {1, 2, 4, 7, 8},
    7: {10},
    8: {4, 9, 10},
    9: {4, 10},
    10: set(),
}
PAIRS = [pair for pair in product(PERMITTED, repeat=2) if pair[0] != pair[1]]
REFUSED = {(before, after) for before, after in PAIRS if after not in PERMITTED[before]}


def counted(warning: str) -> float:
    labels = {"agency": "H41", "warning": warning}
    return REGISTRY.get_sample_value("sync_row_warnings_total", labels) or 0.0


@pytest.fixture
async def told(empty: National) -> National:
    """A view that knows the agencies of the rows and one procedure of three working days."""
    registered = [
        agency("H41.101", "Xã", "commune", valid_from=date(2020, 1, 1)),
        agency("H16", "Tỉnh", "province", valid_from=date(2020, 1, 1), valid_to=date(2025, 6, 30)),
    ]
    async with empty.sessions.begin() as session:
        await upsert_agencies(session, registered)
    await publish(empty, published("1.001193"), published("2.000815", None))
    return empty


async def publish(view: National, *events: ProcedurePublished) -> None:
    async with view.sessions.begin() as session:
        await upsert_procedures(session, events)


async def warnings(view: National, *rows: Any, to: str | None = None) -> list[list[str]]:
    results = await view.push(*rows, right={"agencies": None}, **({"to": to} if to else {}))
    assert {each["outcome"] for each in results} <= {"accepted", "updated"}
    return [each["warnings"] for each in results]


def test_there_are_57_moves_that_the_table_does_not_permit() -> None:
    assert len(REFUSED) == 57


@pytest.mark.parametrize("is_full", [True, False], ids=["dossier rows", "progress rows"])
async def test_change_of_status_that_is_not_permitted_is_taken_with_a_warning(
    told: National, *, is_full: bool
) -> None:
    rows = {pair: row(status=pair[0]) for pair in PAIRS}
    await told.push(*rows.values())
    before = counted("transition_not_permitted")
    moved = []
    for (_, status), pushed in rows.items():
        change = {"status": status, "source_time": at("11-03 09:00").isoformat()}
        moved.append(pushed | change if is_full else {"code": pushed["code"], **change})
    found = await warnings(told, *moved, to=None if is_full else PROGRESS)
    expected = [["transition_not_permitted"] if pair in REFUSED else [] for pair in PAIRS]
    assert found == expected
    assert counted("transition_not_permitted") - before == 57
    for (_, status), pushed in rows.items():
        assert (await told.read(pushed["code"]))["status"] == status


async def test_recall_of_a_dossier_that_was_not_received_is_taken_with_warnings(
    told: National,
) -> None:
    """Stopped on the 3rd, taken up again on the 4th."""
    stopped = [row(status=5, received_at=None, due_at=None) for _ in range(3)]
    codes = [each["code"] for each in stopped]
    stop, recall = (
        {"status": 8, "source_time": at("11-03 09:00").isoformat()},
        {"status": 4, "source_time": at("11-04 09:00").isoformat()},
    )
    await told.push(*stopped)
    steps = [{"code": code, **stop} for code in codes]
    assert await warnings(told, *steps, to=PROGRESS) == [[], [], []]
    recalled = {"code": codes[0], **recall}
    assert await warnings(told, recalled, to=PROGRESS) == [
        ["transition_not_permitted", "not_received"]
    ]
    rows = [
        stopped[1] | recall | {"received_at": at("11-04 08:30").isoformat()},
        stopped[2] | recall | {"received_at": at("11-02 08:30").isoformat()},
    ]
    assert await warnings(told, *rows) == [["transition_not_permitted"], []]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        # 2 to 10, and 10 to 4
        ((10, 4), [["transition_not_permitted"], ["transition_not_permitted"]]),
        # 2 to 4, then a row of an earlier time
        ((4, 10), [[], []]),
    ],
)
async def test_change_of_status_is_judged_by_what_was_taken_before(
    told: National, order: Sequence[int], expected: list[list[str]]
) -> None:
    """The state is the same in any order, the warnings are not."""
    pushed = row(status=2)
    await told.push(pushed)
    days = {10: "11-12 08:00", 4: "11-13 08:00"}
    found = []
    for status in order:
        time = at(days[status]).isoformat()
        change = {"code": pushed["code"], "status": status, "source_time": time}
        (result,) = await told.push(change, to=PROGRESS)
        found.append(result["warnings"])
    assert found == expected
    assert (await told.read(pushed["code"]))["status"] == 4


async def test_same_status_again_is_progress_without_a_warning(told: National) -> None:
    pushed = row(status=4)
    await told.push(pushed)
    again = {"code": pushed["code"], "status": 4, "source_time": at("11-03 09:00").isoformat()}
    assert await warnings(told, again, to=PROGRESS) == [[]]


async def test_row_that_releases_held_progress_bears_its_warnings(told: National) -> None:
    code = new_code()
    held = [
        {"code": code, "status": status, "source_time": at(f"11-0{day} 09:00").isoformat()}
        for status, day in ((4, 6), (10, 5))
    ]
    await told.push(*held, to=PROGRESS)
    before = counted("transition_not_permitted")
    released, other = row(code=code, status=2), row()
    assert await warnings(told, other, released) == [[], ["transition_not_permitted"]]
    assert counted("transition_not_permitted") - before == 1
    assert (await told.read(code))["status"] == 4
    (again,) = await told.push(released)
    assert (again["outcome"], again["warnings"]) == ("duplicate", [])


def of_2025(day: str, **over: Any) -> dict[str, Any]:
    """Received on that day of 2025, at H16, which was closed at the end of 30 June."""
    time = datetime.fromisoformat(f"2025-{day}:00+07:00").isoformat()
    places = {"code": new_code("H16"), "received_by": "H16", "decided_by": "H16"}
    return row(**({"filed_at": time, "received_at": time, "due_at": None} | places | over))


async def test_agency_is_held_against_the_day_of_the_fact(told: National) -> None:
    assert await warnings(
        told,
        of_2025("06-30T23:59"),
        of_2025("07-01T00:00"),  # still 30 June in UTC
        of_2025("07-01T08:00", decided_by="H41.101"),
        of_2025("07-01T08:00", received_by="H41.101"),
        row(helped_by="H16"),
        row(received_by="H41.101"),
        of_2025("07-01T08:00", status=1, received_at=None),
        # Of both kinds, each once.
        of_2025("07-01T08:00", decided_by="H41.999"),
    ) == [
        [],
        ["agency_closed"],
        ["agency_closed"],
        ["agency_closed"],
        ["agency_closed"],
        [],
        ["agency_closed"],
        ["agency_unknown", "agency_closed"],
    ]


async def test_unknown_procedure_is_a_warning_once_the_catalogue_is_known(
    told: National, empty: National
) -> None:
    assert await warnings(
        told,
        row(procedure="9.999999"),
        row(procedure="9.999999.H41"),
        row(procedure="1.001193.H41"),
        row(procedure="2.000815"),
    ) == [["procedure_unknown"], ["procedure_unknown"], [], []]


def of(day: str, **over: Any) -> dict[str, Any]:
    """Give a row the due date."""
    return row(**({"due_at": f"{day}T17:00:00+07:00"} | over))


async def test_due_date_that_no_term_gives_is_a_warning(told: National) -> None:
    """Three working days are published for 1.001193, and no term for 2.000815."""
    await publish(told, published("1.004222", 90))
    before = counted("due_date_distant")
    long_wait = {
        "filed_at": "2025-11-03T08:00:00+07:00",
        "received_at": "2025-11-03T08:00:00+07:00",
        "source_time": at("11-03 09:00").isoformat(),
    }
    good = [
        of("2026-11-30"),
        of("2026-11-10", **long_wait),
        of("2027-05-01", procedure="1.004222"),
        of("2036-10-30", procedure="2.000815"),
        of("2036-10-30", procedure="9.999999"),
        row(due_at=None),
    ]
    distant = [
        of("2199-12-31"),
        of("2027-01-05"),
        of("2027-01-05", **long_wait),
        of("2199-12-31", procedure="1.001193.H41"),
        of("2199-12-31", status=1, received_at=None),
        of("2027-10-01", procedure="1.004222"),
        of("2037-01-01", procedure="2.000815"),
        of("2199-12-31", procedure="9.999999"),
    ]
    found = await warnings(told, *good, *distant)
    marked = ["due_date_distant" in each for each in found]
    assert marked == [False] * len(good) + [True] * len(distant)
    assert counted("due_date_distant") - before == len(distant)
    assert (await told.read(distant[0]["code"]))["due_at"].startswith("2199-12-31")


async def test_empty_catalogue_is_late_and_knows_of_no_fault(empty: National) -> None:
    assert "procedure_unknown" not in (await warnings(empty, row(procedure="9.999999")))[0]


async def counts(view: National) -> dict[str, int]:
    found: dict[str, int] = (await view.figure("on_time", period="2026-11"))["counts"]
    return {name: count for name, count in found.items() if count}


async def test_row_without_a_due_date_is_judged_by_the_longest_term(told: National) -> None:
    """Received on Monday 2 November, three working days end on Thursday the 5th."""
    rows = [
        row(due_at=None),  # open and late
        row(due_at=None, procedure="1.001193.H41"),
        row(due_at=None, status=9, finished_at=at("11-05 23:00").isoformat()),
        row(due_at=None, status=9, finished_at=at("11-06 00:30").isoformat()),
        row(due_at=None, procedure="2.000815"),  # no term is published
        row(due_at=None, procedure="9.999999"),
        row(due_at=at("12-01 17:00").isoformat()),  # its own due date holds
    ]
    await told.push(*rows)
    assert await counts(told) == {
        "ended_in_time": 1,
        "ended_late": 1,
        "open_late": 2,
        "open_in_time": 1,
        "without_due_date": 2,
    }
    late = {rows[0]["code"], rows[1]["code"]}
    assert set(await told.codes(overdue=True)) == late
    # Leaving the due date out later is no way out of the rate.
    cleared = rows[6] | {"due_at": None, "source_time": at("11-20 09:00").isoformat()}
    await told.push(cleared)
    assert set(await told.codes(overdue=True)) == late | {cleared["code"]}


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (1, 2, 1), (2, 2, 1)])
async def test_newest_version_of_a_procedure_holds_in_any_order(
    told: National, order: Sequence[int]
) -> None:
    versions = {1: published("1.004222", 1), 2: published("1.004222", 30, version=2)}
    for number in order:
        await publish(told, versions[number])
    await told.push(row(due_at=None, procedure="1.004222"))
    assert await counts(told) == {"open_in_time": 1}
    await publish(told, *(versions[number] for number in order))
    await told.push(row(due_at=None, procedure="1.004222"))
    assert await counts(told) == {"open_in_time": 2}


@pytest.mark.parametrize(
    "wrong", [{"code": "khai sinh"}, {"term_unit": "fortnight"}, {"term_duration": 0}]
)
async def test_announcement_that_no_push_could_use_is_refused(
    told: National, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        await publish(told, published("1.001193", version=2).model_copy(update=wrong))
    await told.push(row(due_at=None))
    assert await counts(told) == {"open_late": 1}
