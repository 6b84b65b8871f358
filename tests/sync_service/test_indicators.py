"""Indicators on hand-made sets of dossiers, the numbers worked out beside them."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sync_service.indicators import in_force, versions
from sync_service.indicators.figures import FORMULAS, on_time
from sync_service.periods import Period, Span, parse_period
from sync_service.problems import PeriodUnreadable
from sync_service.settings import Settings
from sync_service.tallies import Grain
from tests.conftest import Databases
from tests.factories import TestAuthority
from tests.sync_service.conftest import make_settings, serving
from tests.sync_service.national import National, at, moved, new_code, row
from tests.sync_service.test_view import agency, register

PROVINCES = {"group_by": "agency", "level": "province"}


def dossier(day: str, due: str | None, end: str | None = None, **over: Any) -> dict[str, Any]:
    """Received at that day at 8:00; `due` and `end` as `11-09T17:00` of 2026, Viet Nam."""
    told = {
        "source_time": f"2026-{end}:00+07:00" if end else f"2026-{day}T08:30:00+07:00",
        "filed_at": f"2026-{day}T08:00:00+07:00",
        "received_at": f"2026-{day}T08:00:00+07:00",
        "due_at": f"2026-{due}:00+07:00" if due else None,
        "finished_at": f"2026-{end}:00+07:00" if end else None,
        "status": 9 if end else 4,
    }
    return row(**(told | over))


async def pushed(national: National, *rows: dict[str, Any]) -> None:
    outcomes = await national.outcomes(*rows, right={"agencies": None})
    assert set(outcomes) == {"accepted"}


async def hand_made(national: National) -> None:
    """November: nine received in H41, of which eight have a due date; one in H26; one in October.

    In time: A (early), B (on the due day, an hour after the due hour), E (open, due today),
    F (open, due next month), H (withdrawn in time). Late: C (a day), D (open, due yesterday),
    I (ended at 0:30 of the day after, Viet Nam; that is still the due day in UTC).
    """
    await pushed(
        national,
        dossier("11-02", "11-09T17:00", "11-05T10:00"),  # A
        dossier("11-02", "11-09T17:00", "11-09T18:00", channel=2),  # B
        dossier("11-03", "11-09T17:00", "11-10T08:00", channel=2),  # C
        dossier("11-03", "11-21T17:00"),  # D
        dossier("11-04", "11-22T08:00", procedure="1.000656.H41"),  # E
        dossier("11-20", "12-04T17:00", received_by="H41.102", channel=3),  # F
        dossier("11-20", None, received_by="H41.102", channel=3),  # G: no due date
        dossier("11-05", "11-09T17:00", "11-06T10:00", status=7),  # H
        dossier("11-05", "11-09T17:00", "11-10T00:30"),  # I
        row(status=1, received_at=None),  # never received
        row(status=3, received_at=None),  # never received
        dossier("11-02", "11-09T17:00", "11-09T08:00", received_by="H26.1"),
        dossier("10-31", "11-09T17:00", "11-09T08:00"),
    )


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


async def test_open_dossier_with_one_request_for_supplements_is_judged_at_its_time(
    empty: National,
) -> None:
    """All due on the 9th, which is past: today is the 22nd. Status 5 is the request."""
    rows = [dossier("11-02", "11-09T17:00") for _ in range(7)]
    a, b, c, d, e, f, g = (each["code"] for each in rows)
    await pushed(empty, *rows)
    request, late, resumed = ("11-09T18:00", 5), ("11-10T00:30", 5), ("11-12T08:00", 4)
    await empty.progress(
        *steps(a, request),  # in time: on the due day, an hour after the due hour
        *steps(b, request, resumed),  # in time, though taken up again since
        *steps(c, late),  # late: the day after in Viet Nam, still the due day in UTC
        *steps(d, ("11-04T08:00", 5), ("11-05T08:00", 4), ("11-06T08:00", 5)),  # late: two
        *steps(e, ("11-04T08:00", 5), ("11-05T08:00", 5)),  # in time: one, told twice
        *steps(f, ("11-04T08:00", 5), resumed, ("11-13T08:00", 9)),  # ended late
    )
    # G: open and late, nothing was requested. 3 / (3 + 4) = 42.857 %
    found = await empty.figure("on_time", period="2026-11")
    assert found["counts"] == {
        "ended_in_time": 0,
        "ended_late": 1,
        "open_in_time": 3,
        "open_late": 3,
        "without_due_date": 0,
    }
    assert (found["value"], found["numerator"], found["denominator"]) == (42.86, 3, 7)
    # A second request that was told late makes A late: 2 / 7 = 28.571 %
    assert await empty.progress(*steps(a, ("11-05T08:00", 5), ("11-06T08:00", 4))) == [
        "stale",
        "stale",
    ]
    assert (await empty.figure("on_time", period="2026-11"))["value"] == 28.57
    assert await empty.scalar("SELECT requests FROM national_dossier WHERE code = :g", g=g) == 0


async def test_end_of_the_longest_term_stands_in_for_a_missing_due_date(empty: National) -> None:
    latest = at("11-09 17:00")
    term = {"due_at": None, "latest_at": latest}
    in_time, late, open_late = (new_code("H26.101") for _ in range(3))
    due_later = new_code("H26.101")
    await empty.project(
        moved(in_time, 2, 9, finished_at=at("11-09 18:00"), **term),
        moved(late, 2, 9, finished_at=at("11-10 08:00"), **term),
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


@pytest.fixture(scope="module")
def module_settings(postgres: Databases) -> Settings:
    return make_settings(postgres)


@pytest.fixture(scope="module")
async def november(module_settings: Settings, authority: TestAuthority) -> AsyncIterator[National]:
    async with serving(module_settings, authority) as national:
        await hand_made(national)
        yield national


@pytest.mark.parametrize(
    ("asked", "numerator", "denominator"),
    [
        ({"period": "2026-11"}, 6, 9),  # with that of H26
        ({"period": "2026-Q4"}, 7, 10),  # and that of October
        ({"period": "2026"}, 7, 10),
        ({"period": "2026-10"}, 1, 1),
        ({"period": "2026-10-31..2026-11-02"}, 4, 4),  # October's, A, B, H26's
        ({"period": "2026-10-31,2026-11-30"}, 7, 10),
        # C late; D, as of the last day of the period, not yet due
        ({"period": "2026-11-03..2026-11-03"}, 1, 2),
        ({"period": "2026-11", "procedure": "1.000656"}, 1, 1),  # E
        ({"period": "2026-11", "procedure": "1.000656.H41"}, 1, 1),
        ({"period": "2026-11", "agency": "H41.102"}, 1, 1),  # F
        ({"period": "2026-11", "agency": "H26"}, 1, 1),
        ({"period": "2026-11", "agency": "H41.1"}, 0, 0),
    ],
    ids=str,
)
async def test_on_time_by_period_agency_and_procedure(
    november: National, asked: dict[str, str], numerator: int, denominator: int
) -> None:
    found = await november.figure("on_time", **asked)
    assert (found["numerator"], found["denominator"]) == (numerator, denominator)


async def test_nothing_to_divide_by_is_null_with_a_note(national: National) -> None:
    found = await national.figure("on_time", period="2025-01", agency="H56")
    assert (found["value"], found["numerator"], found["denominator"]) == (None, 0, 0)
    assert found["notes"] == [
        "No dossier with a due date was received in the period: there is no rate."
    ]


async def test_groups_by_channel_procedure_and_agency(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41.101", "Vinh", "commune"), agency("H41", "Nghệ An"))

    async def groups(**asked: str) -> dict[str, tuple[int, int]]:
        found = await empty.figure("on_time", period="2026-11", **asked)
        return {
            each["key"]: (each["numerator"], each["denominator"])
            for each in found["groups"]["items"]
        }

    # desk A E H in time, D I late; online B in time, C late; post F in time
    assert await groups(agency="H41", group_by="channel") == {
        "desk": (3, 5),
        "online": (1, 2),
        "post": (1, 1),
    }
    assert await groups(agency="H41", group_by="procedure") == {
        "1.001193": (4, 7),
        "1.000656": (1, 1),
    }
    assert await groups(agency="H41", group_by="agency") == {"H41.101": (4, 7), "H41.102": (1, 1)}
    assert await groups(group_by="agency") == {"H26": (1, 1), "H41": (5, 8)}
    assert await groups(group_by="agency", level="province") == {"H41": (5, 8)}
    assert await groups(group_by="agency", level="commune", agency="H41") == {"H41.101": (4, 7)}


async def test_level_without_groups_sums_the_agencies_of_that_level(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41", "Nghệ An"), agency("H26", "Hà Nội", "central"))
    found = await empty.figure("on_time", period="2026-11", level="province")
    assert (found["numerator"], found["denominator"]) == (5, 8)


async def test_receiving_and_deciding_agency_are_counted_each_for_its_own(empty: National) -> None:
    await pushed(empty, dossier("11-02", "11-09T17:00", received_by="H41.101", decided_by="G15.02"))

    async def total(name: str, agency: str) -> int:
        counts = (await empty.figure(name, period="2026-11", agency=agency))["counts"]
        return sum(count for key, count in counts.items() if key != "total")

    assert await total("received_by_channel", "H41") == 1
    assert await total("received_by_channel", "G15") == 0
    assert await total("on_time", "H41") == 0
    assert await total("on_time", "G15") == 1


async def test_right_bounds_the_figures(national: National) -> None:
    mine = {"agencies": ["H41"]}
    inside = await national.indicator("on_time", mine, period="2026-11", agency="H41.101")
    assert inside.status_code == 200
    whole = await national.figure("on_time", right=mine, period="2026-11")
    assert whole["agency"]["code"] == "H41"
    outside = await national.indicator("on_time", mine, period="2026-11", agency="H26")
    assert (outside.status_code, outside.json()["type"]) == (404, "/problems/agency-not-found")
    several = {"agencies": ["H41", "H26"]}
    unnamed = await national.indicator("on_time", several, period="2026-11")
    assert (unnamed.status_code, unnamed.json()["type"]) == (422, "/problems/agency-missing")
    one = {"procedures": ["1.000656"]}
    other = await national.indicator("on_time", one, period="2026-11", procedure="1.001193")
    assert other.json()["type"] == "/problems/procedure-not-found"


@pytest.mark.parametrize("asked", [None, "1.000656", "1.000656.H41", "1.000656.H26"])
async def test_right_to_a_localised_procedure_is_refused_openly(
    national: National, asked: str | None
) -> None:
    right = {"procedures": ["1.000656.H41", "2.000815"]}
    named = {"procedure": asked} if asked else {}
    response = await national.indicator("on_time", right, period="2026-11", **named)
    assert (response.status_code, response.json()["type"]) == (403, "/problems/right-too-narrow")
    other = await national.indicator("on_time", right, period="2026-11", procedure="2.000815")
    assert other.status_code == 200


async def test_right_limited_to_procedures_counts_only_these(empty: National) -> None:
    await hand_made(empty)
    one = {"procedures": ["1.000656"]}
    assert (await empty.figure("on_time", right=one, period="2026-11"))["denominator"] == 1
    grouped = await empty.figure("on_time", right=one, period="2026-11", group_by="procedure")
    assert [each["key"] for each in grouped["groups"]["items"]] == ["1.000656"]


@pytest.mark.parametrize(
    ("asked", "type_"),
    [
        ({"period": "2026-13"}, "/problems/period-unreadable"),
        ({"period": "November"}, "/problems/period-unreadable"),
        ({"period": "0000"}, "/problems/period-unreadable"),
        ({"period": "9999"}, "/problems/period-unreadable"),
        ({"period": "2026-02-30..2026-03-01"}, "/problems/period-unreadable"),
        ({"period": "2026-03-02..2026-03-01"}, "/problems/period-unreadable"),
        ({"period": "2021"}, "/problems/no-rule-in-force"),
        ({"period": "2026", "group_by": "month"}, "/problems/invalid-request"),
        ({}, "/problems/invalid-request"),
        ({"period": "2026", "colour": "red"}, "/problems/invalid-request"),
    ],
    ids=str,
)
async def test_bad_question_is_unprocessable(
    national: National, asked: dict[str, Any], type_: str
) -> None:
    response = await national.indicator("on_time", **asked)
    assert (response.status_code, response.json()["type"]) == (422, type_)


async def test_unknown_indicator_is_not_found(national: National) -> None:
    response = await national.indicator("happiness", period="2026")
    assert (response.status_code, response.json()["type"]) == (
        404,
        "/problems/indicator-not-found",
    )


async def test_catalogue_shows_each_indicator_with_its_rule(national: National) -> None:
    response = await national.call("GET /sync/v1/indicators")
    found = {each["indicator"]: each for each in response.json()}
    assert found.keys() == FORMULAS.keys()
    assert found["on_time"]["source"] == "QĐ 766/QĐ-TTg (23/6/2022), 2.1"
    assert (found["on_time"]["unit"], found["on_time"]["points"]) == ("percent", 20)


@pytest.mark.parametrize("version", versions())
def test_every_version_of_the_rules_knows_every_indicator(version: date) -> None:
    assert versions()[version].keys() == FORMULAS.keys()


def test_rule_is_in_force_from_its_day() -> None:
    assert in_force("on_time", date(2022, 7, 31)) is None
    found = in_force("on_time", date(2022, 8, 1))
    assert found
    assert found[0] == date(2022, 8, 1)


def test_rate_is_rounded_half_up_to_two_decimals() -> None:
    # 1/3 = 33.33 %; 1/1600 = 0.0625 % -> 0.06; 333/16000 = 2.08125 % -> 2.08; 1/800 = 0.125 -> 0.13
    for good, bad, rate in ((1, 2, "33.33"), (1, 1599, "0.06"), (1, 799, "0.13")):
        nothing = dict.fromkeys(("open_in_time", "open_late", "without_due_date"), 0)
        counts = {"ended_in_time": good, "ended_late": bad, **nothing}
        assert on_time(counts).value == Decimal(rate)


async def test_channels_without_a_dossier_are_shown_as_zero(empty: National) -> None:
    found = await empty.figure("received_by_channel", period="2026-11")
    assert found["counts"] == {"desk": 0, "online": 0, "post": 0, "total": 0}


async def test_whole_is_the_sum_of_its_groups(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41", "Nghệ An"), agency("H26", "Hà Nội"))
    for name in FORMULAS:
        whole = await empty.figure(name, period="2026")
        for asked in ({"group_by": "channel"}, {"group_by": "procedure"}, PROVINCES):
            found = await empty.figure(name, period="2026", **asked)
            assert found["counts"] == whole["counts"]
            for key, count in whole["counts"].items():
                assert sum(group["counts"][key] for group in found["groups"]["items"]) == count


async def test_agencies_that_stand_above_each_other_are_summed_once(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41", "Nghệ An"), agency("H41.101", "Vinh"))
    found = await empty.figure("on_time", period="2026-11", **PROVINCES)
    assert {each["key"]: each["denominator"] for each in found["groups"]["items"]} == {
        "H41": 8,
        "H41.101": 7,
    }
    assert found["denominator"] == 8


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("2026-02", Period(date(2026, 2, 1), date(2026, 2, 28))),
        ("2024-Q1", Period(date(2024, 1, 1), date(2024, 3, 31))),
        ("2026-Q4", Period(date(2026, 10, 1), date(2026, 12, 31))),
        ("2026", Period(date(2026, 1, 1), date(2026, 12, 31))),
        ("2026-01-05..2026-01-05", Period(date(2026, 1, 5), date(2026, 1, 5))),
    ],
)
def test_period_is_read(text: str, period: Period) -> None:
    assert parse_period(text) == period


def test_period_of_an_impossible_month_is_refused() -> None:
    with pytest.raises(PeriodUnreadable):
        parse_period("2026-00")


@pytest.mark.parametrize(
    ("first", "last", "spans"),
    [
        ("2026-01-01", "2026-12-31", [(Grain.MONTH, "2026-01-01", "2026-12-31")]),
        ("2026-01-10", "2026-01-20", [(Grain.DAY, "2026-01-10", "2026-01-20")]),
        ("2026-01-10", "2026-02-20", [(Grain.DAY, "2026-01-10", "2026-02-20")]),
        (
            "2026-01-31",
            "2026-03-01",
            [
                (Grain.DAY, "2026-01-31", "2026-01-31"),
                (Grain.MONTH, "2026-02-01", "2026-02-28"),
                (Grain.DAY, "2026-03-01", "2026-03-01"),
            ],
        ),
    ],
)
def test_whole_months_of_a_period_are_summed_as_months(
    first: str, last: str, spans: list[tuple[Grain, str, str]]
) -> None:
    period = Period(date.fromisoformat(first), date.fromisoformat(last))
    assert list(period.spans()) == [
        Span(grain, date.fromisoformat(begin), date.fromisoformat(end))
        for grain, begin, end in spans
    ]
