"""The periods of indicators: a month, a quarter, a year, or days from a first to a last one."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from shared.codes.time import DAY_PATTERN, FIRST_DAY, LAST_DAY, YEAR_PATTERN
from shared.texts.translatable import Translatable
from sync_service.indicators.counters import Grain
from sync_service.indicators.problems import PeriodUnreadable

_NAMED = re.compile(rf"({YEAR_PATTERN})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?")
_BETWEEN = re.compile(rf"({DAY_PATTERN})(?:\.\.|,)({DAY_PATTERN})")
PATTERN = f"^(?:{_NAMED.pattern}|{_BETWEEN.pattern})$"
FORMS = "2026-11, 2026-Q4, 2026 or 2026-11-03..2026-11-20"
MONTHS_OF_QUARTER = 3


class Span(NamedTuple):
    """Days from the first to the last, both included, that cells of one grain count."""

    grain: Grain
    first: date
    last: date


class Period(NamedTuple):
    """Days from the first to the last, both included."""

    first: date
    last: date

    def list_spans(self) -> Iterator[Span]:
        """Yield whole months for month cells, and the days before and after for day cells."""
        begin = self.first if self.first.day == 1 else _next_month(self.first)
        end = _next_month(self.last) if self.last == _end_of_month(self.last) else self.last
        end = end.replace(day=1)
        if begin >= end:
            yield Span(Grain.DAY, self.first, self.last)
            return
        if self.first < begin:
            yield Span(Grain.DAY, self.first, begin - timedelta(days=1))
        yield Span(Grain.MONTH, begin, end - timedelta(days=1))
        if end <= self.last:
            yield Span(Grain.DAY, end, self.last)


def parse_period(text: str) -> Period:
    """Return the period of a text in one of `FORMS`, which may have a comma for the dots.

    Raise PeriodUnreadable for another text, or one that ends before it begins.
    """
    if match := _NAMED.fullmatch(text):
        return _build_named_period(int(match[1]), match[2], match[3])
    if match := _BETWEEN.fullmatch(text):
        period = Period(date.fromisoformat(match[1]), date.fromisoformat(match[2]))
        if period.last < period.first:
            raise PeriodUnreadable(
                Translatable("The period ends before it begins: put the earlier day first.")
            )
        return period
    raise PeriodUnreadable(
        Translatable(
            "Write {forms}, of days between {first_day} and {last_day}.",
            forms=FORMS,
            first_day=FIRST_DAY,
            last_day=LAST_DAY,
        )
    )


def _build_named_period(year: int, month: str | None, quarter: str | None) -> Period:
    if month:
        first = last = date(year, int(month), 1)
    elif quarter:
        last = date(year, int(quarter) * MONTHS_OF_QUARTER, 1)
        first = last.replace(month=last.month - MONTHS_OF_QUARTER + 1)
    else:
        first, last = date(year, 1, 1), date(year, 12, 1)
    return Period(first, _end_of_month(last))


def _end_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _next_month(day: date) -> date:
    return _end_of_month(day) + timedelta(days=1)
