"""Derive the end, the requests for papers and the waits from a timeline (QĐ 766). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from shared.codes.enums import DossierStatus
from shared.rules.deadlines import PaperWait, extend_by_waits, list_paper_waits
from sync_service.national_view.state import Standing

REQUEST: Final = DossierStatus.SUPPLEMENT_REQUESTED


class Milestones(NamedTuple):
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


def milestones_of(
    standing: Standing,
    ended_at: datetime | None,
    edges: Sequence[tuple[datetime, int]],
    *,
    is_broken_off: bool,
) -> Milestones:
    waits = list_paper_waits(edges, after=standing.received_at)
    return Milestones(ended_at, is_broken_off, *_count_requests(standing, edges), waits)


def _count_requests(
    standing: Standing, edges: Iterable[tuple[datetime, int]]
) -> tuple[int, datetime | None]:
    """Return how often papers were requested since the reception, and the time of the first.

    The handling begins with the reception: an earlier request counts only while its wait lasts,
    as one at the time of the reception.
    """
    asked = [at for at, status in edges if status == REQUEST]
    received_at = standing.received_at
    since = [at for at in asked if received_at is None or at >= received_at]
    if received_at and asked and not since and standing.status == REQUEST:
        since = [received_at]
    return len(since), next(iter(since or asked), None)


def follows_timeline(standing: Standing) -> bool:
    """Return whether the end of an ended dossier depends on its timeline."""
    return standing.finished_at is None or standing.status == DossierStatus.RETURNED


def _end_of(standing: Standing, found: Milestones) -> datetime:
    """Return the end of an ended dossier; an end in its last full row has precedence.

    Papers that were handed back after a withdrawal or a stop (10 after 7 or 8) do not move the end
    beyond the withdrawal or the stop, even if the row gives the day of the return as the end.
    """
    given_end, derived = standing.finished_at, found.ended_at
    if given_end is None or derived is None:
        return given_end or derived or standing.source_time
    is_return = standing.status == DossierStatus.RETURNED
    return min(given_end, derived) if is_return and found.is_broken_off else given_end


def settled(standing: Standing, found: Milestones) -> Standing:
    """Return the state with the derived times in it."""
    end = _end_of(standing, found)
    latest_at = standing.latest_at
    if standing.term_ends_at is not None:
        latest_at = extend_by_waits(standing.term_ends_at, found.waits)
    made = (end if standing.has_ended else None, found.requests, found.requested_at, latest_at)
    if made == _made(standing):
        return standing
    ended_at, requests, requested_at, latest_at = made
    return replace(
        standing,
        ended_at=ended_at,
        requests=requests,
        requested_at=requested_at,
        latest_at=latest_at,
    )


_made = attrgetter("ended_at", "requests", "requested_at", "latest_at")
