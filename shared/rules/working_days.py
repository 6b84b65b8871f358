"""Working days and office hours: the `holidays` package, corrected by one YAML file a year.

Days are ordinals (`date.toordinal()`), so that counting days is arithmetic on indexes.
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, time
from functools import cache, cached_property
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import holidays
import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

_PROVISIONAL = "?"
_FOLDER = Path(__file__).with_name("data")


class Corrections(BaseModel):
    """The days off and days worked that the government announced for one year.

    They add to the Labour Code. `unconfirmed` days are closed here although no published act
    confirms it. A due date beyond one of them, or in a year that is not announced, is provisional.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    year: int
    version: PositiveInt
    announced: bool
    sources: tuple[str, ...] = Field(min_length=1)
    # YAML would parse the name `off` as false
    closed: dict[date, str]
    worked: dict[date, str]
    unconfirmed: dict[date, str] = {}

    @model_validator(mode="after")
    def _days_are_of_the_year(self) -> Self:
        strangers = [
            day for day in (*self.closed, *self.worked, *self.unconfirmed) if day.year != self.year
        ]
        if strangers:
            raise ValueError(f"days of another year: {strangers}")
        if both := (self.closed.keys() | self.unconfirmed.keys()) & self.worked.keys():
            raise ValueError(f"days both closed and worked: {sorted(both)}")
        return self


class OpeningPeriod(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    opens: time
    closes: time

    @cached_property
    def opens_second(self) -> int:
        return count_day_seconds(self.opens)

    @cached_property
    def closes_second(self) -> int:
        return count_day_seconds(self.closes)

    @cached_property
    def seconds(self) -> int:
        return self.closes_second - self.opens_second


class OfficeHours(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: PositiveInt
    time_zone: ZoneInfo
    sessions: tuple[OpeningPeriod, ...] = Field(min_length=1)
    same_day_until: time
    reception_hours: PositiveInt

    @model_validator(mode="after")
    def _sessions_follow_each_other(self) -> Self:
        edges = [edge for session in self.sessions for edge in (session.opens, session.closes)]
        if sorted(set(edges)) != edges:
            raise ValueError("sessions must follow each other without touching")
        return self

    @cached_property
    def seconds_a_day(self) -> int:
        return sum(session.seconds for session in self.sessions)


def count_day_seconds(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


@cache
def read_office_hours() -> OfficeHours:
    text = (_FOLDER / "office.yaml").read_text(encoding="utf-8")
    return OfficeHours.model_validate(yaml.safe_load(text))


@cache
def read_corrections(year: int) -> Corrections | None:
    """Return the announcements for a year, or None without a file for it."""
    path = _FOLDER / f"{year}.yaml"
    if not path.exists():
        return None
    return Corrections.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@cache
def list_working_days(year: int) -> tuple[int, ...]:
    """Return the ordinals of the working days of a year, in order."""
    # A swapped day may lie in the year before or after the announced one.
    base = holidays.country_holidays("VN", years=(year - 1, year, year + 1))
    announced = read_corrections(year)
    closed = announced.closed | announced.unconfirmed if announced else {}
    worked = announced.worked if announced else {}

    def is_worked(day: date) -> bool:
        if day in worked:
            return True
        return day not in closed and base.is_working_day(day)

    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return tuple(n for n in range(first, last + 1) if is_worked(date.fromordinal(n)))


def describe_calendar_basis(first: date, last: date) -> str:
    """Return the version of the calendar of each year from `first` to `last`: `2026/2 2027/1?`.

    A `?` marks a year in which the span depends on days that may still change: the year is not
    announced, it has no file, or a day of the span is unconfirmed.
    """
    years = range(first.year, last.year + 1)
    return " ".join(_describe_year_basis(year, first, last) for year in years)


def is_provisional(basis: str | None) -> bool:
    return basis is not None and _PROVISIONAL in basis


def list_current_bases(years: Iterable[int]) -> list[str]:
    """Return every part that a basis computed today may have for these years.

    A year that is announced and has no unconfirmed day has no provisional part, even if its
    version stayed the same.
    """
    return [part for year in years for part in _list_year_bases(year)]


def _list_year_bases(year: int) -> list[str]:
    corrections = read_corrections(year)
    certain = f"{year}/{corrections.version if corrections else 0}"
    if corrections is None or not corrections.announced:
        return [f"{certain}{_PROVISIONAL}"]
    return [certain, f"{certain}{_PROVISIONAL}"] if corrections.unconfirmed else [certain]


def _describe_year_basis(year: int, first: date, last: date) -> str:
    announced = read_corrections(year)
    if announced is None:
        return f"{year}/0{_PROVISIONAL}"
    doubtful = any(first <= day <= last for day in announced.unconfirmed)
    mark = _PROVISIONAL if doubtful or not announced.announced else ""
    return f"{year}/{announced.version}{mark}"


def is_working_day(day: date) -> bool:
    return find_working_day_after(day.toordinal(), 0) == day.toordinal()


def find_working_day_after(ordinal: int, count: int) -> int:
    """Return the `count`-th working day after the first one on or after `ordinal`."""
    year = date.fromordinal(ordinal).year
    days = list_working_days(year)
    index = bisect_left(days, ordinal) + count
    while index >= len(days):
        index -= len(days)
        year += 1
        days = list_working_days(year)
    return days[index]
