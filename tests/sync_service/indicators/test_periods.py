"""The time that an indicator is asked for, and what of the hand-made November lies in it."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from sync_service.indicators.counters import Grain
from sync_service.indicators.periods import Period, Span, parse_period
from sync_service.indicators.problems import PeriodUnreadable
from sync_service.settings import Settings
from tests.conftest import Databases
from tests.support.factories import TestAuthority
from tests.sync_service.conftest import make_settings, serving
from tests.sync_service.indicators.november import hand_made
from tests.sync_service.national import National


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
    assert list(period.list_spans()) == [
        Span(grain, date.fromisoformat(begin), date.fromisoformat(end))
        for grain, begin, end in spans
    ]
