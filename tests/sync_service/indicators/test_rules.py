"""Each published remark to the rate in time is held to cases that it decides."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from sync_service.indicators.rules import load_versions
from tests.sync_service.indicators.november import dossier
from tests.sync_service.intake.test_row_warnings import publish
from tests.sync_service.national import PROGRESS, National, at, published

IN_TIME, LATE, OPEN_IN_TIME, OPEN_LATE, APART = (
    "ended_in_time",
    "ended_late",
    "open_in_time",
    "open_late",
    "without_due_date",
)


class Case(NamedTuple):
    """A dossier received on 2 November, its further course, and the count that it falls under."""

    row: dict[str, Any]
    course: Sequence[tuple[str, int]]
    counted: str | None
    question: dict[str, str] = {}  # noqa: RUF012 -- never changed


def due(day: str | None, end: str | None = None, **over: Any) -> dict[str, Any]:
    return dossier("11-02", day, end, **over)


# By the first words of the remark. Today is 22 November.
CASES: dict[str, list[Case]] = {
    "A dossier counts for its deciding agency": [
        Case(due("11-30T17:00", decided_by="H26.1"), (), OPEN_IN_TIME, {"agency": "H26"}),
        Case(due("11-30T17:00", decided_by="H26.1"), (), None, {"agency": "H41"}),
    ],
    "Days in Viet Nam are compared": [
        Case(due("11-09T08:00", "11-09T23:59"), (), IN_TIME),
        Case(due("11-09T08:00", "11-10T00:01"), (), LATE),
    ],
    "The end is status 9, else 10, else 8, 3 or 7": [
        Case(due("11-09T17:00"), [("11-09T08:00", 9), ("11-12T08:00", 10)], IN_TIME),
        *(
            Case(due("11-09T17:00"), [("11-09T08:00", end), ("11-12T08:00", 10)], IN_TIME)
            for end in (7, 8)
        ),
        Case(due("11-09T17:00"), [("11-12T08:00", 10)], LATE),
        *(Case(due("11-09T17:00"), [("11-09T08:00", end)], IN_TIME) for end in (3, 7, 8)),
        Case(due("11-09T17:00", status=3, received_at=None), (), None),
    ],
    "An open dossier is in time while its due day": [
        Case(due("11-22T00:00"), (), OPEN_IN_TIME),
        Case(due("11-21T23:59"), (), OPEN_LATE),
        Case(due("11-10T08:00"), (), OPEN_IN_TIME, {"period": "2026-11-01..2026-11-10"}),
        Case(due("11-09T08:00"), (), OPEN_LATE, {"period": "2026-11-01..2026-11-10"}),
    ],
    "While it waits for supplements (status 5)": [
        Case(due("11-09T17:00"), [("11-09T18:00", 5)], OPEN_IN_TIME),
        Case(due("11-09T17:00"), [("11-10T08:00", 5)], OPEN_LATE),
        Case(
            due("11-30T17:00"),
            [("11-04T08:00", 5), ("11-05T08:00", 4), ("11-06T08:00", 5)],
            OPEN_LATE,
        ),
        Case(due("11-09T17:00"), [("11-04T08:00", 5), ("11-05T08:00", 4)], OPEN_LATE),
        Case(due("11-30T17:00"), [("11-04T08:00", 5), ("11-05T08:00", 4)], OPEN_IN_TIME),
    ],
    "The waiting time for supplements is in the due date": [
        Case(
            due("11-09T17:00"),
            [("11-04T08:00", 5), ("11-18T08:00", 4), ("11-19T08:00", 9)],
            LATE,
        ),
    ],
    "A dossier without a due date": [
        Case(due(None, "11-05T18:00"), (), IN_TIME),
        Case(due(None, "11-06T08:00"), (), LATE),
        Case(due(None), (), OPEN_LATE),
        Case(due(None), [("11-04T08:00", 5), ("11-18T08:00", 4), ("11-19T08:00", 9)], IN_TIME),
        Case(due(None, procedure="2.000815"), (), APART),
    ],
}


def remarks() -> list[str]:
    newest = load_versions()[max(load_versions())]
    return newest["on_time"].remarks


def test_each_remark_has_its_cases() -> None:
    begun = [[known for known in CASES if remark.startswith(known)] for remark in remarks()]
    assert begun == [[known] for known in CASES]


@pytest.fixture
async def view(national: National) -> National:
    await publish(national, published("1.001193", 3), published("2.000815", None))
    return national


async def counts(view: National, question: dict[str, str]) -> dict[str, int]:
    asked = {"period": "2026-11"} | question
    found: dict[str, int] = (await view.figure("on_time", **asked))["counts"]
    return found


@pytest.mark.parametrize(
    ("remark", "place"), [(key, n) for key, cases in CASES.items() for n in range(len(cases))]
)
async def test_dossier_is_counted_as_the_remark_says(
    view: National, remark: str, place: int
) -> None:
    case = CASES[remark][place]
    before = await counts(view, case.question)
    assert [each["outcome"] for each in await view.push(case.row, right={"agencies": None})] == [
        "accepted"
    ]
    for moment, status in case.course:
        time = at(moment.replace("T", " ")).isoformat()
        step = {"code": case.row["code"], "status": status, "source_time": time}
        await view.push(step, to=PROGRESS, right={"agencies": None})
    after = await counts(view, case.question)
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == ({} if case.counted is None else {case.counted: 1})
