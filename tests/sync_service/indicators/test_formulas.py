"""Indicators on hand-made sets of dossiers, the numbers worked out beside them."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sync_service.indicators.formulas import FORMULAS, compute_on_time
from sync_service.indicators.repository.verification import read_cells, recount_cells
from sync_service.indicators.rules import find_rule, load_versions
from tests.sync_service.indicators.november import dossier, hand_made, pushed
from tests.sync_service.national import DOSSIERS, PROGRESS, National, at, moved, new_code, row


async def test_received_by_channel(empty: National) -> None:
    await hand_made(empty)
    found = await empty.figure("received_by_channel", period="2026-11", agency="H41")
    assert found["counts"] == {"desk": 5, "online": 2, "post": 2, "total": 9}
    assert (found["value"], found["numerator"], found["denominator"]) == (9, 9, None)
    country = await empty.figure("received_by_channel", period="2026")
    assert country["counts"] == {"desk": 7, "online": 2, "post": 2, "total": 11}


async def test_on_time(empty: National) -> None:
    await hand_made(empty)
    found = await empty.figure("on_time", period="2026-11", agency="H41")
    # A, B, H ended in time; E, F open in time; C, I ended late; D open late; G has no due date:
    # 5 / (5 + 3) = 62.5 %
    assert found["counts"] == {
        "ended_in_time": 3,
        "ended_late": 2,
        "open_in_time": 2,
        "open_late": 1,
        "without_due_date": 1,
    }
    assert (found["value"], found["numerator"], found["denominator"]) == (62.5, 5, 8)
    assert found["notes"] == ["1 dossiers without a due date are not in the rate."]
    assert (found["formula_id"], found["rule_version"]) == ("QD766-2.1", "2022-08-01")
    assert found["as_of"]["changes"] == 13
    assert found["as_of"]["day"] == "2026-11-22"


def steps(code: str, *told: tuple[str, int]) -> list[dict[str, Any]]:
    return [
        {"code": code, "status": status, "source_time": f"2026-{time}:00+07:00"}
        for time, status in told
    ]


async def test_dossier_that_waits_for_supplements_is_judged_at_the_time_of_its_one_request(
    empty: National,
) -> None:
    """All due on the 9th, which is past: today is the 22nd. Status 5 is the request."""
    rows = [dossier("11-02", "11-09T17:00") for _ in range(7)]
    a, b, c, d, e, f, g = (each["code"] for each in rows)
    await pushed(empty, *rows)
    request, late, resumed = ("11-09T18:00", 5), ("11-10T00:30", 5), ("11-12T08:00", 4)
    await empty.progress(
        *steps(a, request),  # in time: on the due day, an hour after the due hour
        *steps(b, request, resumed),  # late: taken up again, it is judged as of today
        *steps(c, late),  # late: the day after in Viet Nam, still the due day in UTC
        *steps(d, ("11-04T08:00", 5), ("11-05T08:00", 4), ("11-06T08:00", 5)),  # late: two
        *steps(e, ("11-04T08:00", 5), ("11-05T08:00", 5)),  # in time: one, told twice
        *steps(f, ("11-04T08:00", 5), resumed, ("11-13T08:00", 9)),  # ended late
    )
    # G: open and late, nothing was requested. 2 / (2 + 5) = 28.571 %
    found = await empty.figure("on_time", period="2026-11")
    assert found["counts"] == {
        "ended_in_time": 0,
        "ended_late": 1,
        "open_in_time": 2,
        "open_late": 4,
        "without_due_date": 0,
    }
    assert (found["value"], found["numerator"], found["denominator"]) == (28.57, 2, 7)
    # A second request that was told late makes A late: 1 / 7 = 14.286 %
    assert await empty.progress(*steps(a, ("11-05T08:00", 5), ("11-06T08:00", 4))) == [
        "stale",
        "stale",
    ]
    assert (await empty.figure("on_time", period="2026-11"))["value"] == 14.29
    assert await empty.scalar("SELECT requests FROM national_dossier WHERE code = :g", g=g) == 0


async def requests(view: National, code: str) -> int:
    query = "SELECT requests FROM national_dossier WHERE code = :code"
    found: int = await view.scalar(query, code=code)
    return found


async def test_request_before_the_reception_is_none_of_the_handling(empty: National) -> None:
    """Received on the 10th and due on the 30th, and today is the 22nd."""
    for order in ("abcd", "dcba", "bdac"):
        code, lasting = new_code(), new_code()
        registered = {"status": 1, "received_at": None, "due_at": None}
        times = {"received_at": "2026-11-10T09:00:00+07:00", "due_at": "2026-11-30T17:00:00+07:00"}
        received = times | {"source_time": "2026-11-10T09:00:05+07:00"}
        told = {
            "a": [row(code=each, **registered) for each in (code, lasting)],
            "b": [
                *steps(code, ("11-03T09:00", 5), ("11-04T09:00", 1)),
                *steps(lasting, ("11-03T09:00", 5)),
            ],
            "c": [row(code=code, status=2, **received), row(code=lasting, status=5, **received)],
            "d": steps(code, ("11-11T09:00", 4), ("11-12T09:00", 5)),
        }
        for each in order:
            await empty.push(*told[each], to=PROGRESS if each in "bd" else DOSSIERS)
        assert (await requests(empty, code), await requests(empty, lasting)) == (1, 1)
        assert not (await empty.read(code))["overdue"]
        assert not (await empty.read(lasting))["overdue"]
        async with empty.sessions() as session:
            assert dict(await read_cells(session)) == dict(await recount_cells(session))
        # Received before the first request: now it is one of two.
        times = {"received_at": "2026-11-02T10:00:00+07:00", "due_at": "2026-11-30T17:00:00+07:00"}
        corrected = times | {"source_time": "2026-11-13T09:00:00+07:00"}
        await empty.push(row(code=code, status=5, **corrected))
        assert await requests(empty, code) == 2
        assert (await empty.read(code))["overdue"]


async def test_end_of_the_longest_term_stands_in_for_a_missing_due_date(empty: National) -> None:
    latest = at("11-09 17:00")
    term = {"due_at": None, "latest_at": latest}
    in_time, late, open_late = (new_code("H26.101") for _ in range(3))
    due_later = new_code("H26.101")
    await empty.project(
        moved(in_time, 2, 9, at=at("11-10 08:00"), finished_at=at("11-09 18:00"), **term),
        moved(late, 2, 9, at=at("11-10 08:00"), finished_at=at("11-10 08:00"), **term),
        moved(open_late, 2, 4, **term),
        moved(due_later, 2, 4, due_at=at("12-01 17:00"), latest_at=latest),  # the due date holds
    )
    found = await empty.figure("on_time", period="2026-11")
    assert found["counts"] == {
        "ended_in_time": 1,
        "ended_late": 1,
        "open_in_time": 1,
        "open_late": 1,
        "without_due_date": 0,
    }
    assert (found["value"], found["denominator"]) == (50.0, 4)


async def test_nothing_to_divide_by_is_null_with_a_note(national: National) -> None:
    found = await national.figure("on_time", period="2025-01", agency="H56")
    assert (found["value"], found["numerator"], found["denominator"]) == (None, 0, 0)
    assert found["notes"] == [
        "No dossier with a due date was received in the period: there is no rate."
    ]


async def test_catalogue_shows_each_indicator_with_its_rule(national: National) -> None:
    response = await national.call("GET /sync/v1/indicators")
    found = {each["indicator"]: each for each in response.json()}
    assert found.keys() == FORMULAS.keys()
    assert found["on_time"]["source"] == "QĐ 766/QĐ-TTg (23/6/2022), 2.1"
    assert (found["on_time"]["unit"], found["on_time"]["points"]) == ("percent", 20)


@pytest.mark.parametrize("version", load_versions())
def test_every_version_of_the_rules_knows_every_indicator(version: date) -> None:
    assert load_versions()[version].keys() == FORMULAS.keys()


def test_rule_is_in_force_from_its_day() -> None:
    assert find_rule("on_time", date(2022, 7, 31)) is None
    found = find_rule("on_time", date(2022, 8, 1))
    assert found
    assert found[0] == date(2022, 8, 1)


def test_rate_is_rounded_half_up_to_two_decimals() -> None:
    # 1/3 = 33.33 %; 1/1600 = 0.0625 % -> 0.06; 333/16000 = 2.08125 % -> 2.08; 1/800 = 0.125 -> 0.13
    for good, bad, rate in ((1, 2, "33.33"), (1, 1599, "0.06"), (1, 799, "0.13")):
        nothing = dict.fromkeys(("open_in_time", "open_late", "without_due_date"), 0)
        counts = {"ended_in_time": good, "ended_late": bad, **nothing}
        assert compute_on_time(counts).value == Decimal(rate)


async def test_channels_without_a_dossier_are_shown_as_zero(empty: National) -> None:
    found = await empty.figure("received_by_channel", period="2026-11")
    assert found["counts"] == {"desk": 0, "online": 0, "post": 0, "total": 0}
