"""When a dossier is due. Pure: instants come in aware, from outside."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from dossier_service.calendars import office_hours, seconds_of_day, working_day_after

_HOUR = 3600


class Unit(StrEnum):
    """Units of a published duration: giờ, ngày, ngày làm việc, tháng."""

    HOUR = "hour"
    DAY = "day"
    WORKING_DAY = "working_day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Term:
    """How long a procedure may take; `same_day` is answered on the day it is received."""

    duration: int
    unit: Unit
    same_day: bool = False

    def __post_init__(self) -> None:
        if self.duration < 1:
            raise ValueError("a term lasts at least 1 of its unit")


def due_at(start: datetime, term: Term | None) -> datetime | None:
    """The moment by which a dossier that was received at `start` must be answered.

    Working hours and working days count office hours only, eight hours a day; days and months are
    those of the calendar, with an end that is moved on to a working day. No term, no due date.
    """
    if term is None:
        return None
    day, second = _working_moment(start)
    if term.same_day:
        return _close_of_day(day, second)
    if term.unit is Unit.HOUR:
        return _after_working_seconds(day, second, term.duration * _HOUR)
    if term.unit is Unit.WORKING_DAY:
        return _after_working_seconds(day, second, term.duration * office_hours().seconds_a_day)
    if term.unit is Unit.DAY:
        return _instant(working_day_after(day + term.duration, 0), second)
    return _instant(working_day_after(_months_after(day, term.duration), 0), second)


def reception_due_at(start: datetime) -> datetime:
    """By when an online dossier must be received or refused; `start`: submitted, or fee paid."""
    day, second = _working_moment(start)
    return _after_working_seconds(day, second, office_hours().reception_hours * _HOUR)


def extended(due: datetime | None, *, asked: datetime, supplemented: datetime) -> datetime | None:
    """The due date moved on by the time spent waiting for papers, then to a working moment."""
    if supplemented < asked:
        raise ValueError("papers cannot be supplemented before they were asked for")
    if due is None:
        return None
    return _instant(*_working_moment(due + (supplemented - asked)))


def office_day(moment: datetime) -> date:
    """The day of an instant at the agency; a naive instant is an error, not a guess."""
    return _local(moment).date()


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return moment.astimezone(office_hours().time_zone)


def _working_moment(moment: datetime) -> tuple[int, int]:
    """Day ordinal and second of the day: the moment, or the next opening of the office."""
    local = _local(moment)
    ordinal, second = local.toordinal(), seconds_of_day(local.time())
    sessions = office_hours().sessions
    day = working_day_after(ordinal, 0)
    if day != ordinal:
        return day, sessions[0].opens_second
    for session in sessions:
        if second < session.opens_second + session.seconds:
            return day, max(second, session.opens_second)
    return working_day_after(ordinal + 1, 0), sessions[0].opens_second


def _after_working_seconds(day: int, second: int, seconds: int) -> datetime:
    hours = office_hours()
    for session in hours.sessions:
        seconds += min(max(second - session.opens_second, 0), session.seconds)
    # Work that fills whole days ends at the close of the last, not at the next opening.
    days, rest = divmod(seconds - 1, hours.seconds_a_day)
    rest += 1
    for session in hours.sessions:
        if rest <= session.seconds:
            return _instant(working_day_after(day, days), session.opens_second + rest)
        rest -= session.seconds
    raise AssertionError("the rest of a day fits into its sessions")


def _close_of_day(day: int, second: int) -> datetime:
    hours = office_hours()
    late = second >= seconds_of_day(hours.same_day_until)
    closes = seconds_of_day(hours.sessions[-1].closes)
    return _instant(working_day_after(day, int(late)), closes)


def _months_after(ordinal: int, months: int) -> int:
    start = date.fromordinal(ordinal)
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    last = monthrange(year, month)[1]
    return date(year, month, min(start.day, last)).toordinal()


def _instant(ordinal: int, second: int) -> datetime:
    minutes, seconds = divmod(second, 60)
    clock = time(minutes // 60, minutes % 60, seconds, tzinfo=office_hours().time_zone)
    return datetime.combine(date.fromordinal(ordinal), clock)
