"""Derive the end, the requests for papers and the waits from a timeline (QĐ 766). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from shared.codes.enums import DossierStatus
from shared.rules.deadlines import PaperWait, extend_by_waits, list_paper_waits
from sync_service.national_view.state import DossierState

REQUEST: Final = DossierStatus.SUPPLEMENT_REQUESTED


class DerivedTimes(NamedTuple):
    """The times that follow from the timeline of one dossier; None where it has no such row.

    `requests` counts those since the reception, and `requested_at` is the time of the first of
    them; without one it is that of the first before the reception.

    `is_broken_off` says that the end is a withdrawal (7) or a stop (8): papers that are handed back
    afterwards (10) are no result, and do not move the end.
    """

    ended_at: datetime | None = None
    is_broken_off: bool = False
    requests: int = 0
    requested_at: datetime | None = None
    waits: Sequence[PaperWait] = ()


def derive_times(
    state: DossierState,
    ended_at: datetime | None,
    edges: Sequence[tuple[datetime, int]],
    *,
    is_broken_off: bool,
) -> DerivedTimes:
    waits = list_paper_waits(edges, after=state.received_at)
    return DerivedTimes(ended_at, is_broken_off, *_count_requests(state, edges), waits)


def _count_requests(
    state: DossierState, edges: Iterable[tuple[datetime, int]]
) -> tuple[int, datetime | None]:
    """Return how often papers were requested since the reception, and the time of the first.

    The handling begins with the reception: an earlier request counts only while its wait lasts,
    as one at the time of the reception.
    """
    requests = [at for at, status in edges if status == REQUEST]
    received_at = state.received_at
    since = [at for at in requests if received_at is None or at >= received_at]
    if received_at and requests and not since and state.status == REQUEST:
        since = [received_at]
    return len(since), next(iter(since or requests), None)


def follows_timeline(state: DossierState) -> bool:
    """Return whether the end of an ended dossier depends on its timeline."""
    return state.finished_at is None or state.status == DossierStatus.RETURNED


def _choose_end(state: DossierState, times: DerivedTimes) -> datetime:
    """Return the end of an ended dossier; an end in its last full row has precedence.

    Papers that were handed back after a withdrawal or a stop (10 after 7 or 8) do not move the end
    beyond the withdrawal or the stop, even if the row gives the day of the return as the end.
    """
    given_end, derived = state.finished_at, times.ended_at
    if given_end is None or derived is None:
        return given_end or derived or state.source_time
    is_return = state.status == DossierStatus.RETURNED
    return min(given_end, derived) if is_return and times.is_broken_off else given_end


def apply_times(state: DossierState, times: DerivedTimes) -> DossierState:
    """Return the state with the derived times in it."""
    end = _choose_end(state, times)
    latest_at = state.latest_at
    if state.term_ends_at is not None:
        latest_at = extend_by_waits(state.term_ends_at, times.waits)
    values = (end if state.has_ended else None, times.requests, times.requested_at, latest_at)
    if values == _read_times(state):
        return state
    ended_at, requests, requested_at, latest_at = values
    return replace(
        state,
        ended_at=ended_at,
        requests=requests,
        requested_at=requested_at,
        latest_at=latest_at,
    )


_read_times = attrgetter("ended_at", "requests", "requested_at", "latest_at")
