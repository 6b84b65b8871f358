"""How the handling of a dossier stands or ended, as the indicators judge it (QĐ 766). Pure."""

from datetime import date, datetime
from enum import IntEnum
from typing import Protocol

from shared.codes.time import day_in_viet_nam
from sync_service.national_view.derived_times import REQUEST


class Handling(IntEnum):
    """How the handling stands or ended; days are compared, not hours (QĐ 766, 2.1)."""

    OPEN = 1
    ENDED_IN_TIME = 2
    ENDED_LATE = 3
    ENDED_WITHOUT_DUE = 4
    # Waits for supplements: while it waits, no day to come changes it.
    REQUESTED_IN_TIME = 5
    REQUESTED_LATE = 6


class Judged(Protocol):
    """What decides whether a dossier is in time: a standing, or its row."""

    @property
    def status(self) -> int: ...
    @property
    def received_at(self) -> datetime | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def latest_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def requests(self) -> int: ...
    @property
    def requested_at(self) -> datetime | None: ...


def handling(standing: Judged) -> tuple[Handling, date | None]:
    """With the due day of an open dossier only: whether that is in time changes with the day.

    While it waits for supplements it is judged at the time of the request, and is late where it was
    requested before (QĐ 766, 2.1). `listings.overdue` says the same of one day.
    """
    due = standing.due_at or standing.latest_at
    due_on = day_in_viet_nam(due) if due else None
    if due_on is None:
        return (Handling.ENDED_WITHOUT_DUE if standing.ended_at else Handling.OPEN), None
    if standing.ended_at:
        in_time = day_in_viet_nam(standing.ended_at) <= due_on
        return (Handling.ENDED_IN_TIME if in_time else Handling.ENDED_LATE), None
    if standing.status != REQUEST or standing.requested_at is None:
        return Handling.OPEN, due_on
    in_time = standing.requests == 1 and day_in_viet_nam(standing.requested_at) <= due_on
    return (Handling.REQUESTED_IN_TIME if in_time else Handling.REQUESTED_LATE), None


def is_overdue(standing: Judged, today: date) -> bool:
    """Return whether the indicators count the dossier as open and late as of today."""
    outcome, due_on = handling(standing)
    is_late = outcome is Handling.REQUESTED_LATE or (due_on is not None and due_on < today)
    return standing.received_at is not None and is_late
