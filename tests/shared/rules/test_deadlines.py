"""A term gives the due date that is worked out by hand.

A working day is 7:00-11:30 (4.5 h) and 13:30-17:00 (3.5 h).
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.rules.deadlines import (
    PaperWait,
    Term,
    Unit,
    due_at,
    extend_due_date,
    list_paper_waits,
    reception_due_at,
)
from shared.rules.working_days import is_working_day, read_office_hours

ONE_HOUR = Term(1, Unit.HOUR)
ONE_WORKING_DAY = Term(1, Unit.WORKING_DAY)
SAME_DAY = Term(1, Unit.WORKING_DAY, same_day=True)


def at(text: str) -> datetime:
    """An instant of the office's clock: "2026-03-02 09:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=read_office_hours().time_zone)


@pytest.mark.parametrize(
    ("start", "term", "due"),
    [
        # Monday 2 March 2026 and the days after it hold no holiday.
        ("2026-03-02 09:00", ONE_HOUR, "2026-03-02 10:00"),
        # 11:00-11:30 is half an hour, the other half begins at 13:30
        ("2026-03-02 11:00", ONE_HOUR, "2026-03-02 14:00"),
        # 10:30-11:30 fills the hour: due at the end of the morning, not after lunch
        ("2026-03-02 10:30", ONE_HOUR, "2026-03-02 11:30"),
        # in the lunch break -> 13:30
        ("2026-03-02 12:10", ONE_HOUR, "2026-03-02 14:30"),
        ("2026-03-02 11:30", ONE_HOUR, "2026-03-02 14:30"),
        # before 7:00 -> 7:00
        ("2026-03-02 05:00", ONE_HOUR, "2026-03-02 08:00"),
        # at and after 17:00 -> 7:00 of the next working day
        ("2026-03-02 17:00", ONE_HOUR, "2026-03-03 08:00"),
        ("2026-03-02 23:59", ONE_HOUR, "2026-03-03 08:00"),
        # 16:00-17:00, then 7:00-8:00
        ("2026-03-02 16:00", Term(2, Unit.HOUR), "2026-03-03 08:00"),
        # 8 h from 9:00: 2.5 h + 3.5 h on Monday, 2 h on Tuesday
        ("2026-03-02 09:00", Term(8, Unit.HOUR), "2026-03-03 09:00"),
        ("2026-03-02 09:00", ONE_WORKING_DAY, "2026-03-03 09:00"),
        # a whole day from 7:00 ends at 17:00 of the same day
        ("2026-03-02 07:00", ONE_WORKING_DAY, "2026-03-02 17:00"),
        # Friday 15:00 + 5 days: the next Friday 15:00
        ("2026-03-06 15:00", Term(5, Unit.WORKING_DAY), "2026-03-13 15:00"),
        # Saturday -> Monday 7:00, + 1 day = Monday 17:00
        ("2026-03-07 10:00", ONE_WORKING_DAY, "2026-03-09 17:00"),
    ],
)
def test_working_hours(start: str, term: Term, due: str) -> None:
    assert due_at(at(start), term) == at(due)


@pytest.mark.parametrize(
    ("start", "term", "due"),
    [
        # Tết 2026: off from Monday 16 to Friday 20 February. Thursday 12 at 16:00 + 3 days:
        # Friday 13, Monday 23, Tuesday 24 at 16:00
        ("2026-02-12 16:00", Term(3, Unit.WORKING_DAY), "2026-02-24 16:00"),
        # received in Tết -> Monday 23 at 7:00
        ("2026-02-17 09:00", ONE_HOUR, "2026-02-23 08:00"),
        # Friday 21 August 2026 at 16:00: Saturday 22 works, for Monday 31 that does not
        ("2026-08-21 16:00", ONE_WORKING_DAY, "2026-08-22 16:00"),
        # Friday 28 August + 1: off on Monday 31, and on 1 and 2 September; Thursday 3
        ("2026-08-28 16:00", ONE_WORKING_DAY, "2026-09-03 16:00"),
        # New Year 2026: Friday 2 January was swapped with Saturday 10; our file, not the package
        ("2025-12-31 16:00", ONE_WORKING_DAY, "2026-01-05 16:00"),
        ("2026-01-09 16:00", ONE_WORKING_DAY, "2026-01-10 16:00"),
        # the Hùng Kings' day, Sunday 26 April 2026, is made up for on Monday 27
        ("2026-04-24 16:00", ONE_WORKING_DAY, "2026-04-28 16:00"),
    ],
)
def test_holidays_and_swapped_saturdays(start: str, term: Term, due: str) -> None:
    assert due_at(at(start), term) == at(due)


@pytest.mark.parametrize(
    ("start", "term", "due"),
    [
        # calendar days count every day: Monday 2 + 3 = Thursday 5
        ("2026-03-02 09:00", Term(3, Unit.DAY), "2026-03-05 09:00"),
        # Monday 2 + 5 = Saturday 7 -> Monday 9
        ("2026-03-02 09:00", Term(5, Unit.DAY), "2026-03-09 09:00"),
        # 12 February + 5 = 17, Tết -> Monday 23
        ("2026-02-12 09:00", Term(5, Unit.DAY), "2026-02-23 09:00"),
        # 17 August + 5 = 22, a Saturday that works
        ("2026-08-17 09:00", Term(5, Unit.DAY), "2026-08-22 09:00"),
        # a month: 2 March -> 2 April (Thursday)
        ("2026-03-02 09:00", Term(1, Unit.MONTH), "2026-04-02 09:00"),
        # 30 January + 1 month = 28 February, a Saturday -> Monday 2 March
        ("2026-01-30 09:00", Term(1, Unit.MONTH), "2026-03-02 09:00"),
        # 30 November 2026 + 3 months = 28 February 2027, a Sunday -> Monday 1 March
        ("2026-11-30 09:00", Term(3, Unit.MONTH), "2027-03-01 09:00"),
        # over two turns of the year
        ("2026-03-02 09:00", Term(24, Unit.MONTH), "2028-03-02 09:00"),
    ],
)
def test_calendar_days_and_months(start: str, term: Term, due: str) -> None:
    assert due_at(at(start), term) == at(due)


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-03-02 08:00", "2026-03-02 17:00"),
        ("2026-03-02 14:59", "2026-03-02 17:00"),
        # the rule says after 15:00
        ("2026-03-02 15:00", "2026-03-02 17:00"),
        ("2026-03-02 15:00:00.000001", "2026-03-03 17:00"),
        ("2026-03-02 15:00:01", "2026-03-03 17:00"),
        # Friday afternoon -> Monday
        ("2026-03-06 16:00", "2026-03-09 17:00"),
        # after hours: received on Tuesday morning
        ("2026-03-02 18:00", "2026-03-03 17:00"),
        ("2026-03-07 16:00", "2026-03-09 17:00"),
    ],
)
def test_same_day_procedure_is_answered_by_five_unless_received_from_three(
    start: str, due: str
) -> None:
    assert due_at(at(start), SAME_DAY) == at(due)


def test_working_days_run_over_the_turn_of_the_year() -> None:
    # 2026 ends on Thursday 31 December; 1 January 2027 is a Friday off; Monday 4 is the next.
    assert due_at(at("2026-12-31 10:00"), ONE_WORKING_DAY) == at("2027-01-04 10:00")


def test_long_terms_agree_with_counting_day_by_day() -> None:
    day, left = date(2025, 6, 2), 400
    while left:
        day += timedelta(days=1)
        left -= is_working_day(day)
    due = due_at(at("2025-06-02 09:00"), Term(400, Unit.WORKING_DAY))
    assert due == at(f"{day} 09:00")


def test_no_term_gives_no_due_date() -> None:
    assert due_at(at("2026-03-02 09:00"), None) is None


def test_instants_of_another_zone_are_read_by_the_clock_of_the_office() -> None:
    # 10:30 UTC is 17:30 in Hà Nội: the next morning
    start = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    assert due_at(start, ONE_HOUR) == at("2026-03-03 08:00")


def test_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_at(datetime(2026, 3, 2, 9), ONE_HOUR)  # noqa: DTZ001  the fault itself


def test_term_lasts_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Term(0, Unit.DAY)


def test_online_dossier_is_received_within_eight_working_hours() -> None:
    # Friday 16:00: one hour, then seven on Monday: 7:00-11:30 and 13:30-16:00
    assert reception_due_at(at("2026-03-06 16:00")) == at("2026-03-09 16:00")


@pytest.mark.parametrize(
    ("asked", "supplemented", "due"),
    [
        # waited 1 day and 2 hours: Thursday 9:00 -> Friday 11:00
        ("2026-03-02 08:00", "2026-03-03 10:00", "2026-03-06 11:00"),
        # waited 2 days: Thursday -> Saturday -> the close of Monday
        ("2026-03-02 08:00", "2026-03-04 08:00", "2026-03-09 17:00"),
        # waited 3 hours: 9:00 -> 12:00, the lunch break -> the close of that day
        ("2026-03-02 08:00", "2026-03-02 11:00", "2026-03-05 17:00"),
        # waited 2.5 hours: 9:00 -> 11:30, the end of the morning, is in office hours
        ("2026-03-02 08:00", "2026-03-02 10:30", "2026-03-05 11:30"),
        # waited 9 hours: 18:00 -> the close of that day
        ("2026-03-02 08:00", "2026-03-02 17:00", "2026-03-05 17:00"),
        # waited 8 hours: 17:00, at closing time, stays
        ("2026-03-02 08:00", "2026-03-02 16:00", "2026-03-05 17:00"),
        # waited 21 hours: 6:00 on Friday -> the close of that day
        ("2026-03-02 08:00", "2026-03-03 05:00", "2026-03-06 17:00"),
        # waits without a working minute move nothing
        ("2026-03-02 08:00", "2026-03-02 08:00", "2026-03-05 09:00"),
        ("2026-03-02 08:00", "2026-03-02 08:00:59", "2026-03-05 09:00"),
        ("2026-03-02 11:29:30", "2026-03-02 13:30:29", "2026-03-05 09:00"),
        ("2026-03-02 17:00", "2026-03-03 07:00", "2026-03-05 09:00"),
        ("2026-03-06 17:30", "2026-03-09 06:30", "2026-03-05 09:00"),
        # 30 s before lunch and 30 s after are a working minute: 9:00 + 2 h 1 min
        ("2026-03-02 11:29:30", "2026-03-02 13:30:30", "2026-03-05 11:01"),
        ("2026-03-02 08:00", "2026-03-02 08:01", "2026-03-05 09:01"),
    ],
)
def test_waiting_for_papers_extends_the_due_date(asked: str, supplemented: str, due: str) -> None:
    before = at("2026-03-05 09:00")
    assert extend_due_date(before, requested_at=at(asked), supplemented_at=at(supplemented)) == at(
        due
    )


@pytest.mark.parametrize(
    ("due", "asked", "supplemented", "moved"),
    [
        # a same-day dossier, due on Monday at 17:00, that went to 5 and back within seconds
        ("2026-03-02 17:00", "2026-03-02 09:00:00", "2026-03-02 09:00:07", "2026-03-02 17:00"),
        # five minutes on a Friday
        ("2026-03-06 17:00", "2026-03-06 09:00:00", "2026-03-06 09:05:00", "2026-03-06 17:00"),
        # a day: to Saturday 17:00 -> the close of Monday
        ("2026-03-06 17:00", "2026-03-05 09:00:00", "2026-03-06 09:00:00", "2026-03-09 17:00"),
    ],
)
def test_end_at_closing_time_stays_on_its_day(
    due: str, asked: str, supplemented: str, moved: str
) -> None:
    assert extend_due_date(at(due), requested_at=at(asked), supplemented_at=at(supplemented)) == at(
        moved
    )


def test_no_due_date_stays_none_when_extended() -> None:
    moment = at("2026-03-02 08:00")
    assert extend_due_date(None, requested_at=moment, supplemented_at=moment) is None


def test_papers_cannot_come_before_they_were_asked_for() -> None:
    asked = at("2026-03-02 08:00")
    with pytest.raises(ValueError, match="before they were requested"):
        extend_due_date(asked, requested_at=asked, supplemented_at=asked - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("left", "counted"),
    [
        # the wait ended before the reception, or with it
        ("2026-03-04 08:59:59", None),
        ("2026-03-04 09:00:00", None),
        # of a wait that lasted longer only the part since the reception counts
        ("2026-03-04 09:00:05", "2026-03-04 09:00"),
        ("2026-03-06 10:00:00", "2026-03-04 09:00"),
    ],
)
def test_wait_for_papers_counts_from_the_reception(left: str, counted: str | None) -> None:
    course = [(at("2026-03-02 09:00"), 1), (at("2026-03-02 10:00"), 5), (at(left), 2)]
    waits = list_paper_waits(course, after=at("2026-03-04 09:00"))
    assert waits == ([PaperWait(at(counted), at(left))] if counted else [])
    (whole,) = list_paper_waits(course)
    assert whole == PaperWait(at("2026-03-02 10:00"), at(left))


def test_wait_since_the_reception_counts_whole() -> None:
    course = [(at("2026-03-02 10:00"), 5), (at("2026-03-03 10:00"), 4)]
    assert list_paper_waits(course, after=at("2026-03-02 10:00")) == [
        PaperWait(at("2026-03-02 10:00"), at("2026-03-03 10:00"))
    ]
