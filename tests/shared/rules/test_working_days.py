"""A calendar of working days follows the announced days, and its basis says which may change."""

from datetime import date, timedelta

import pytest

from shared.rules import working_days as calendars
from shared.rules.working_days import (
    Corrections,
    OfficeHours,
    describe_calendar_basis,
    is_provisional,
    is_working_day,
    list_current_bases,
    list_working_days,
    read_corrections,
    read_office_hours,
)

YEARS_WITH_A_FILE = (2025, 2026, 2027)


@pytest.mark.parametrize("year", YEARS_WITH_A_FILE)
def test_announced_days_are_in_force(year: int) -> None:
    announced = read_corrections(year)
    assert announced is not None
    assert announced.year == year
    worked = {date.fromordinal(ordinal) for ordinal in list_working_days(year)}
    assert announced.worked.keys() <= worked
    assert not announced.closed.keys() & worked


@pytest.mark.parametrize(
    ("first", "last", "basis", "provisional"),
    [
        ((2025, 3, 3), (2025, 3, 7), "2025/1", False),
        ((2026, 11, 16), (2026, 11, 23), "2026/2", False),
        # 24 November 2026 lies in it, which no published act confirms
        ((2026, 11, 16), (2026, 11, 25), "2026/2?", True),
        ((2026, 11, 25), (2026, 12, 31), "2026/2", False),
        # 2027 is not announced, and no file speaks of 2028
        ((2026, 12, 28), (2027, 1, 5), "2026/2 2027/1?", True),
        ((2027, 12, 30), (2028, 1, 5), "2027/1? 2028/0?", True),
    ],
)
def test_span_names_the_calendars_that_it_rests_on(
    first: tuple[int, int, int], last: tuple[int, int, int], basis: str, provisional: bool
) -> None:
    assert describe_calendar_basis(date(*first), date(*last)) == basis
    assert is_provisional(basis) == provisional


@pytest.mark.parametrize(
    ("said", "present"),
    [
        ({"announced": False}, ["2026/2?"]),
        ({"announced": False, "unconfirmed": {}}, ["2026/2?"]),
        ({}, ["2026/2", "2026/2?"]),
        ({"unconfirmed": {}}, ["2026/2"]),
    ],
)
def test_basis_of_a_year_is_provisional_while_a_day_may_change(
    said: dict[str, object], present: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = read_corrections(2026)
    assert announced is not None
    assert announced.unconfirmed
    changed = Corrections.model_validate(announced.model_dump() | said)
    monkeypatch.setattr(
        calendars, "read_corrections", lambda year: changed if year == 2026 else None
    )
    assert list_current_bases([2026]) == present
    assert list_current_bases([2028]) == ["2028/0?"]
    days = [date(2026, 1, 1) + timedelta(days=10 * number) for number in range(36)]
    bases = {
        describe_calendar_basis(first, last) for first in days for last in days if first <= last
    }
    assert bases == set(present)


def test_nothing_is_provisional_without_a_due_date() -> None:
    assert not is_provisional(None)


def test_year_without_a_file_stands_on_the_package_alone() -> None:
    # 2030: 1 January is a Tuesday, and off
    assert read_corrections(2030) is None
    assert not is_working_day(date(2030, 1, 1))
    assert is_working_day(date(2030, 1, 2))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"closed": {date(2025, 1, 2): "another year"}}, "another year"),
        ({"worked": {date(2026, 1, 2): "both"}}, "both closed and worked"),
        ({"worked": {date(2026, 11, 24): "both"}}, "both closed and worked"),
        ({"unconfirmed": {date(2025, 11, 24): "another year"}}, "another year"),
        ({"sources": []}, "at least 1"),
    ],
)
def test_calendar_that_contradicts_itself_is_refused(change: dict[str, object], says: str) -> None:
    announced = read_corrections(2026)
    assert announced is not None
    with pytest.raises(ValueError, match=says):
        Corrections.model_validate(announced.model_dump() | change)


def test_office_hours_must_follow_each_other() -> None:
    sessions = [{"opens": "07:00", "closes": "11:30"}, {"opens": "11:00", "closes": "17:00"}]
    with pytest.raises(ValueError, match="follow each other"):
        OfficeHours.model_validate(read_office_hours().model_dump() | {"sessions": sessions})
