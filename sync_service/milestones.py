"""When a dossier ended, and was asked for supplements, as its timeline tells (QĐ 766). Pure."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from shared.events.codes import ENDED, DossierStatus

REQUEST: Final = DossierStatus.SUPPLEMENT_REQUESTED
# The end is the time of the first of these that was told since the dossier was last taken up.
ENDS: Final[tuple[Collection[int], ...]] = (
    {DossierStatus.PROCESSED},
    {DossierStatus.RETURNED},
    ENDED,
)


class Line(NamedTuple):
    """What a word says of the status; lines are ordered as the words are."""

    at: datetime
    version: int
    digest: int
    status: int


class Milestones(NamedTuple):
    """Of one dossier; None, or no requests, where its timeline tells of none."""

    ended_at: datetime | None = None
    requests: int = 0
    requested_at: datetime | None = None


def milestones(lines: Iterable[Line]) -> Milestones:
    """From what one source told, in whatever order.

    A request is a status 5 that follows another status, however often it is told again.
    """
    in_order = sorted(set(lines))
    requests = [line.at for line in in_order[:1] if line.status == REQUEST]
    requests += [
        line.at
        for before, line in pairwise(in_order)
        if line.status == REQUEST and before.status != REQUEST
    ]
    return Milestones(_ended_at(in_order), len(requests), requests[0] if requests else None)


def _ended_at(in_order: Sequence[Line]) -> datetime | None:
    last_open = max((n for n, line in enumerate(in_order) if line.status not in ENDED), default=-1)
    since = in_order[last_open + 1 :]
    told = (line.at for statuses in ENDS for line in since if line.status in statuses)
    return next(told, None)
