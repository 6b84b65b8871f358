"""An independent reckoning of due dates that walks over a table of days.

Nothing of the product is used but the functions under test: the days off are written down here
from the announcements and the lunar calendar, and time is counted by walking it.
"""

import random
from datetime import date, datetime, timedelta, timezone

import pytest

from shared.rules.deadlines import Term, Unit, due_at, extend_due_date, reception_due_at

ICT = timezone(timedelta(hours=7))
CASES = 6_000
MINUTE = timedelta(minutes=1)
# Weekdays without work, and Saturdays with it.
OFF = {
    *(date(2025, 1, day) for day in (1, 27, 28, 29, 30, 31)),
    date(2025, 4, 7), date(2025, 4, 30), date(2025, 5, 1), date(2025, 5, 2),
    date(2025, 9, 1), date(2025, 9, 2),
    date(2026, 1, 1), date(2026, 1, 2), *(date(2026, 2, day) for day in range(16, 21)),
    date(2026, 4, 27), date(2026, 4, 30), date(2026, 5, 1), date(2026, 8, 31),
    date(2026, 9, 1), date(2026, 9, 2), date(2026, 11, 24),
    date(2027, 1, 1), *(date(2027, 2, day) for day in (4, 5, 8, 9, 10)), date(2027, 4, 16),
    date(2027, 4, 30), date(2027, 5, 3), date(2027, 9, 2), date(2027, 9, 3), date(2027, 11, 24),
}  # fmt: skip
SATURDAYS = {date(2025, 4, 26), date(2026, 1, 10), date(2026, 8, 22)}
# Stretches of a day in which an office works, in minutes: 7:00-11:30 and 13:30-17:00.
STRETCHES = ((420, 690), (810, 1020))
CLOSES = 1020


def works(day: date) -> bool:
    return day in SATURDAYS or (day.weekday() < 5 and day not in OFF)


def next_working(day: date) -> date:
    while not works(day):
        day += timedelta(days=1)
    return day


def at_minute(day: date, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ICT) + minute * MINUTE


def minute_of(moment: datetime) -> int:
    return moment.hour * 60 + moment.minute


def publish_first_procedures(start: datetime) -> datetime:
    """Return the first minute at or after `start` in which an office works."""
    if works(start.date()):
        for opens, closes in STRETCHES:
            if minute_of(start) < closes:
                return at_minute(start.date(), max(minute_of(start), opens))
    return at_minute(next_working(start.date() + timedelta(days=1)), STRETCHES[0][0])


def after_minutes(start: datetime, minutes: int) -> datetime:
    """Return the end of the last of so many worked minutes from `start` on."""
    while True:
        start = publish_first_procedures(start)
        left = next(closes for _, closes in STRETCHES if minute_of(start) < closes)
        left -= minute_of(start)
        if minutes <= left:
            return start + minutes * MINUTE
        minutes -= left
        start += left * MINUTE


def months_later(day: date, months: int) -> date:
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))


def expected_due(start: datetime, term: Term) -> datetime:
    first = publish_first_procedures(start)
    if term.same_day:
        is_late = first == start and minute_of(start) > 15 * 60
        day = next_working(first.date() + timedelta(days=1)) if is_late else first.date()
        return at_minute(day, CLOSES)
    if term.unit is Unit.HOUR:
        return after_minutes(first, term.duration * 60)
    if term.unit is Unit.WORKING_DAY:
        return after_minutes(first, term.duration * 480)
    if term.unit is Unit.DAY:
        day = first.date() + timedelta(days=term.duration)
    else:
        day = months_later(first.date(), term.duration)
    return at_minute(next_working(day), minute_of(first))


def expected_extension(due: datetime, asked: datetime, supplemented: datetime) -> datetime:
    # Instants are whole minutes here: the first worked one decides.
    if publish_first_procedures(asked) >= supplemented:
        return due
    moved = due + (supplemented - asked)
    minute = minute_of(moved)
    if works(moved.date()) and any(opens <= minute <= closes for opens, closes in STRETCHES):
        return moved
    return at_minute(next_working(moved.date()), CLOSES)


def random_start(drawn: random.Random) -> datetime:
    day = date(2025, 1, 1) + timedelta(days=drawn.randrange(730))
    return at_minute(day, drawn.randrange(1440))


def random_term(drawn: random.Random) -> Term:
    unit = drawn.choice(list(Unit))
    longest = {Unit.HOUR: 40, Unit.WORKING_DAY: 25, Unit.DAY: 90, Unit.MONTH: 9}[unit]
    same_day = unit is Unit.WORKING_DAY and drawn.random() < 0.2
    return Term(1 if same_day else drawn.randint(1, longest), unit, same_day=same_day)


@pytest.mark.parametrize("seed", range(6))
def test_due_dates_agree_with_walking_over_the_days(seed: int) -> None:
    drawn = random.Random(seed)
    for _ in range(CASES // 6):
        start, term = random_start(drawn), random_term(drawn)
        assert due_at(start, term) == expected_due(start, term), (start, term)


def test_reception_limits_agree_with_walking_over_the_days() -> None:
    drawn = random.Random(7)
    for _ in range(CASES // 6):
        start = random_start(drawn)
        assert reception_due_at(start) == after_minutes(publish_first_procedures(start), 480), start


@pytest.mark.parametrize("seed", range(6))
def test_extended_due_dates_agree_with_walking_over_the_days(seed: int) -> None:
    drawn = random.Random(100 + seed)
    for _ in range(CASES // 6):
        start, term = random_start(drawn), random_term(drawn)
        due, asked = expected_due(start, term), random_start(drawn)
        wait = drawn.choice([0, 1, 5, 45, 300, 900, 3_000, 6_000, 20_000]) * drawn.random()
        supplemented = asked + int(wait) * MINUTE
        found = extend_due_date(due, requested_at=asked, supplemented_at=supplemented)
        assert found == expected_extension(due, asked, supplemented), (due, asked, supplemented)
