"""Days and instants: the schema and the parser take the same texts."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.codes.time import (
    FIRST_DAY,
    LAST_DAY,
    IsoDay,
    IsoInstant,
    StoredInstant,
    day_in_viet_nam,
    start_of_day_in_viet_nam,
)

DAY, INSTANT, STORED = TypeAdapter(IsoDay), TypeAdapter(IsoInstant), TypeAdapter(StoredInstant)
PATTERNS = {each: re.compile(each.json_schema()["pattern"]) for each in (DAY, INSTANT)}
AROUND = [FIRST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1), date.min, date.max]


def matches(adapter: TypeAdapter[date] | TypeAdapter[datetime], text: str) -> bool:
    return PATTERNS[adapter].search(text) is not None


def is_taken(adapter: TypeAdapter[date] | TypeAdapter[datetime], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def test_the_pattern_of_a_day_has_each_day_of_the_calendar_and_no_other() -> None:
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    known = {day.isoformat() for day in days}
    written = {f"{y}-{m:02}-{d:02}" for y, m, d in product(range(1849, 2201), range(14), range(33))}
    assert {text for text in written if matches(DAY, text)} == known


@pytest.mark.parametrize("day", [FIRST_DAY, LAST_DAY, date(2024, 2, 29), *AROUND])
def test_a_day_is_taken_where_its_pattern_matches(day: date) -> None:
    text = day.isoformat()
    assert is_taken(DAY, text) is matches(DAY, text) is (FIRST_DAY <= day <= LAST_DAY)


TAKEN = [
    "2026-11-02T09:00:00+07:00",
    "2026-11-02T09:00:00.123456789-03:30",
    "1850-01-01T00:00:00Z",
    "2199-12-31T23:59:59.999999z",
    "2024-02-29t00:00:00+00:00",
]
REFUSED = [
    "2026-11-02",
    "2026-11-02T09:00:00",
    "2026-11-02T09:00Z",
    "2026-11-02 09:00:00Z",
    "2026-11-02T09:00:00+0700",
    "2026-11-02T09:00:00+07",
    "2026-11-02T09:00:00,5Z",
    "2026-11-02T24:00:00Z",
    "2026-11-02T09:00:60Z",
    "1849-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "1793603400",
    "2026-11-02T09:00:00+24:00",
    "2026-11-02T09:00:00 07:00",
    "2026-11-02T9:00:00Z",
    "",
]


@pytest.mark.parametrize("text", TAKEN)
def test_an_instant_of_the_described_form_is_taken(text: str) -> None:
    assert matches(INSTANT, text)
    assert is_taken(INSTANT, text)


@pytest.mark.parametrize("text", REFUSED)
def test_an_instant_of_another_form_is_refused(text: str) -> None:
    assert not matches(INSTANT, text)
    assert not is_taken(INSTANT, text)


@pytest.mark.parametrize("text", ["1850-01-01T00:00:00+23:59", "2199-12-31T23:59:59-23:59"])
def test_an_instant_is_judged_by_the_day_that_is_written(text: str) -> None:
    assert matches(INSTANT, text)
    stored = INSTANT.validate_python(text).astimezone(UTC)
    assert STORED.validate_python(stored.isoformat()) == stored


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2200-01-02T00Z"])
def test_an_instant_that_no_request_can_have_named_is_not_stored(text: str) -> None:
    with pytest.raises(ValidationError):
        STORED.validate_python(text)


def test_an_instant_keeps_its_moment() -> None:
    assert INSTANT.validate_python(TAKEN[0]) == datetime(2026, 11, 2, 2, tzinfo=UTC)


@pytest.mark.parametrize("day", [date(1990, 1, 1), date(2026, 11, 2), date(2028, 2, 29)])
def test_day_in_viet_nam_starts_seven_hours_before_that_of_utc(day: date) -> None:
    start = start_of_day_in_viet_nam(day)
    assert start == datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=7)
    assert day_in_viet_nam(start) == day
    assert day_in_viet_nam(start - timedelta(microseconds=1)) == day - timedelta(days=1)
