"""Compute the deadlines of dossiers from aware instants."""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.codes.enums import DossierStatus
from shared.codes.time import day_in_viet_nam
from shared.rules.working_days import (
    count_day_seconds,
    describe_calendar_basis,
    find_working_day_after,
    read_office_hours,
)

_HOUR, _MINUTE = 3600, 60


class Unit(StrEnum):
    """The units of a published duration: giờ, ngày, ngày làm việc, tháng."""

    HOUR = "hour"
    DAY = "day"
    WORKING_DAY = "working_day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Term:
    """The duration that a procedure may take; `same_day` ends on the day of reception."""

    duration: int
    unit: Unit
    same_day: bool = False

    def __post_init__(self) -> None:
        if self.duration < 1:
            raise ValueError("a term lasts at least 1 of its unit")


class PaperWait(NamedTuple):
    """A wait for papers, from the move to status 5 until the move out of it."""

    requested_at: datetime
    supplemented_at: datetime


def due_at(start: datetime, term: Term | None) -> datetime | None:
    """Return the deadline of a dossier received at `start`, or None without a term.

    Working hours and working days count office hours only, eight hours a day. Days and months are
    those of the calendar; an end on a day off moves to the next working day.
    """
    if term is None:
        return None
    day, second = _find_working_moment(start)
    if term.same_day:
        return _find_close_of_day(start, day, second)
    if term.unit is Unit.HOUR:
        return _add_working_seconds(day, second, term.duration * _HOUR)
    if term.unit is Unit.WORKING_DAY:
        return _add_working_seconds(day, second, term.duration * read_office_hours().seconds_a_day)
    if term.unit is Unit.DAY:
        return _to_instant(find_working_day_after(day + term.duration, 0), second)
    return _to_instant(find_working_day_after(_add_months(day, term.duration), 0), second)


def latest_due_at(start: datetime, terms: Iterable[Term]) -> datetime | None:
    """Return the latest end that the terms have from `start` on; None without a term.

    Which of two terms is the longer depends on the start: days off lengthen working days alone.
    """
    return max((due for term in terms if (due := due_at(start, term))), default=None)


def reception_due_at(start: datetime) -> datetime:
    """Return the deadline for receiving or refusing an online dossier.

    `start` is the instant of submission or of the payment of the fee.
    """
    day, second = _find_working_moment(start)
    return _add_working_seconds(day, second, read_office_hours().reception_hours * _HOUR)


def extend_due_date(
    due: datetime | None, *, requested_at: datetime, supplemented_at: datetime
) -> datetime | None:
    """Return the due date extended by the wait for papers between the two instants.

    A wait of less than one working minute extends nothing. An end outside office hours becomes the
    closing time of its day, or of the next working day after a day off; an end at closing time
    stays. No published rule exists, so this one is the product's own.
    """
    if supplemented_at < requested_at:
        raise ValueError("papers cannot be supplemented before they were requested")
    if due is None or not _holds_working_minute(requested_at, supplemented_at):
        return due
    moved = _to_office_time(due + (supplemented_at - requested_at))
    day, closes = moved.toordinal(), _find_closing_second()
    if find_working_day_after(day, 0) != day:
        return _to_instant(find_working_day_after(day, 0), closes)
    return moved if _is_in_session(moved) else _to_instant(day, closes)


def find_overdue_day(
    due: datetime | None, *, requested_at: datetime | None = None, requests: int = 0
) -> date | None:
    """Return the day from which an open dossier is late, or None if it cannot become late.

    Days are compared, not hours (QĐ 766, 2.1). A dossier that waits for papers since `requested_at`
    is judged at that request: it is late where the request came after the due day, or where it is
    not the first of `requests`.
    """
    if due is None:
        return None
    late = day_in_viet_nam(due) + timedelta(days=1)
    if requested_at is None:
        return late
    requested = day_in_viet_nam(requested_at)
    return min(late, requested) if requests > 1 or requested >= late else None


def describe_calendar(start: datetime, due: datetime | None) -> str | None:
    """Return the basis of a due date as `describe_calendar_basis` does; None without a due date."""
    if due is None:
        return None
    return describe_calendar_basis(day_in_viet_nam(start), day_in_viet_nam(due))


def extend_by_waits(due: datetime | None, waits: Iterable[PaperWait]) -> datetime | None:
    """Return the due date extended by each wait for papers in order."""
    for wait in waits:
        due = extend_due_date(
            due, requested_at=wait.requested_at, supplemented_at=wait.supplemented_at
        )
    return due


def list_paper_waits(
    course: Iterable[tuple[datetime, int]], *, after: datetime | None = None
) -> list[PaperWait]:
    """Return the ended waits of one dossier, from its statuses and their times in order.

    A repeated status is progress and ends no wait. The term begins at reception, so with `after` a
    wait counts only from that instant on.
    """
    waits, requested_at = [], None
    for at, status in course:
        if status == DossierStatus.SUPPLEMENT_REQUESTED:
            requested_at = requested_at or at
        elif requested_at is not None:
            waits.append(PaperWait(requested_at, at))
            requested_at = None
    if after is None:
        return waits
    return [
        PaperWait(max(requested_at, after), until) for requested_at, until in waits if until > after
    ]


def _holds_working_minute(start: datetime, end: datetime) -> bool:
    """Return whether at least 60 seconds of office hours lie between two instants."""
    first, last = _to_office_time(start), _to_office_time(end)
    counted_s, day = 0.0, find_working_day_after(first.toordinal(), 0)
    while counted_s < _MINUTE and day <= last.toordinal():
        opening = datetime.combine(date.fromordinal(day), time(), first.tzinfo)
        since, until = (first - opening).total_seconds(), (last - opening).total_seconds()
        for session in read_office_hours().sessions:
            begins = max(since, session.opens_second)
            counted_s += max(0.0, min(until, session.closes_second) - begins)
        day = find_working_day_after(day + 1, 0)
    return counted_s >= _MINUTE


def _is_in_session(local: datetime) -> bool:
    """Return whether an instant lies in office hours, opening and closing time included."""
    sessions = read_office_hours().sessions
    return any(session.opens <= local.time() <= session.closes for session in sessions)


def _find_closing_second() -> int:
    return read_office_hours().sessions[-1].closes_second


def _to_office_time(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return moment.astimezone(read_office_hours().time_zone)


def _find_working_moment(moment: datetime) -> tuple[int, int]:
    """Return day ordinal and second of the day of the moment, or of the next opening after it."""
    local = _to_office_time(moment)
    ordinal, second = local.toordinal(), count_day_seconds(local.time())
    sessions = read_office_hours().sessions
    day = find_working_day_after(ordinal, 0)
    if day != ordinal:
        return day, sessions[0].opens_second
    for session in sessions:
        if second < session.closes_second:
            return day, max(second, session.opens_second)
    return find_working_day_after(ordinal + 1, 0), sessions[0].opens_second


def _add_working_seconds(day: int, second: int, seconds: int) -> datetime:
    hours = read_office_hours()
    for session in hours.sessions:
        seconds += min(max(second - session.opens_second, 0), session.seconds)
    # Work that fills whole days ends at the close of the last, not at the next opening.
    days, rest = divmod(seconds - 1, hours.seconds_a_day)
    rest += 1
    for session in hours.sessions:
        if rest <= session.seconds:
            return _to_instant(find_working_day_after(day, days), session.opens_second + rest)
        rest -= session.seconds
    raise AssertionError("the rest of a day fits into its sessions")


def _find_close_of_day(start: datetime, day: int, second: int) -> datetime:
    """Return the close of `day`, or of the next working day where the reception came after 15:00.

    `day` and `second` are the working moment of `start`, without its part of a second.
    """
    until = read_office_hours().same_day_until
    is_late = second > count_day_seconds(until) or (
        second == count_day_seconds(until) and _to_office_time(start).time() > until
    )
    return _to_instant(find_working_day_after(day, int(is_late)), _find_closing_second())


def _add_months(ordinal: int, months: int) -> int:
    start = date.fromordinal(ordinal)
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    last = monthrange(year, month)[1]
    return date(year, month, min(start.day, last)).toordinal()


def _to_instant(ordinal: int, second: int) -> datetime:
    minutes, seconds = divmod(second, 60)
    clock = time(minutes // 60, minutes % 60, seconds, tzinfo=read_office_hours().time_zone)
    return datetime.combine(date.fromordinal(ordinal), clock)
