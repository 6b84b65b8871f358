"""Judge whether a dossier is handled in time, as the indicators do (QĐ 766). Pure."""

from datetime import date, datetime
from enum import IntEnum
from typing import Protocol

from shared.codes.time import day_in_viet_nam
from sync_service.national_view.derived_times import REQUEST


class Handling(IntEnum):
    """The outcome of the handling up to now; days are compared, not hours (QĐ 766, 2.1)."""

    OPEN = 1
    ENDED_IN_TIME = 2
    ENDED_LATE = 3
    ENDED_WITHOUT_DUE = 4
    # The dossier waits for supplements; while it waits, the passing of days changes nothing.
    REQUESTED_IN_TIME = 5
    REQUESTED_LATE = 6


class JudgedDossier(Protocol):
    """The fields of a dossier that decide whether it is in time; a state and its row have them."""

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


def judge_handling(state: JudgedDossier) -> tuple[Handling, date | None]:
    """Return the outcome, and the due day if the dossier is open: it becomes late after that day.

    While it waits for supplements it is judged at the time of the request, and is late if there was
    an earlier request (QĐ 766, 2.1). Without a counted request there is no such time, and the
    passing of days decides. `listings.is_overdue` is the same rule in SQL for one day.
    """
    due = state.due_at or state.latest_at
    due_on = day_in_viet_nam(due) if due else None
    if due_on is None:
        return (Handling.ENDED_WITHOUT_DUE if state.ended_at else Handling.OPEN), None
    if state.ended_at:
        in_time = day_in_viet_nam(state.ended_at) <= due_on
        return (Handling.ENDED_IN_TIME if in_time else Handling.ENDED_LATE), None
    if state.status != REQUEST or state.requested_at is None or not state.requests:
        return Handling.OPEN, due_on
    in_time = state.requests == 1 and day_in_viet_nam(state.requested_at) <= due_on
    return (Handling.REQUESTED_IN_TIME if in_time else Handling.REQUESTED_LATE), None


def is_overdue(state: JudgedDossier, today: date) -> bool:
    """Return whether the indicators count the dossier as open and late as of today."""
    outcome, due_on = judge_handling(state)
    is_late = outcome is Handling.REQUESTED_LATE or (due_on is not None and due_on < today)
    return state.received_at is not None and is_late
