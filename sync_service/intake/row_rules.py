"""The rules by which a pushed row is taken or refused, given its dossier. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.codes.enums import ENDED, DossierStatus
from shared.rules.statuses import permitted_statuses
from sync_service.national_view.state import Standing

# Reached only after reception (domain rules of the ten statuses).
AFTER_RECEPTION: Final = frozenset(
    {DossierStatus.RECEIVED, DossierStatus.PROCESSING, DossierStatus.PROCESSED}
)
# The lines of one dossier: more would make one further line, and a look at it, dear.
MAX_CHANGES: Final = 500
ENDS_BEYOND_BOUND: Final = 50
# The held rows of one client. Pushes that run at the same time may each go one push beyond it.
MAX_HELD_ROWS = 20_000


class Outcome(StrEnum):
    """What becomes of one pushed row."""

    ACCEPTED = "accepted"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    STALE = "stale"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason` is for programs, `detail` tells a person how to mend it."""

    reason: str
    detail: str


def judge(current: Standing | None, told: Standing) -> Outcome | Refusal:
    """What becomes of a whole dossier that another system tells, given where it stands."""
    if current is None:
        return Outcome.ACCEPTED
    if refusal := other_authority(current, told.source):
        return refusal
    if told.facts_order == current.facts_order:
        return Outcome.DUPLICATE
    return Outcome.UPDATED if told.facts_order > current.facts_order else Outcome.STALE


def breaks_transitions(before: Standing, after: Standing) -> bool:
    """Return whether the table of transitions does not permit it; the same status is progress.

    A reception that is later than the status before came after it, and does not permit it.
    """
    if before.status == after.status:
        return False
    received_at = after.received_at
    is_received = received_at is not None and received_at <= before.source_time
    following = permitted_statuses(
        DossierStatus(before.status), before=None, is_received=is_received
    )
    return after.status not in following


def lacks_reception(standing: Standing) -> bool:
    """Return whether a status was told that only a received dossier has, and no reception."""
    return standing.status in AFTER_RECEPTION and standing.received_at is None


def refuse_beyond_bound(changes: int, status: int) -> Refusal | None:
    """Return a refusal where a dossier has as many lines as are kept, given that number.

    An end is taken beyond the bound: no dossier stays open for ever in the view.
    """
    if changes < MAX_CHANGES + (ENDS_BEYOND_BOUND if status in ENDED else 0):
        return None
    return Refusal(
        "too_many_changes",
        f"{MAX_CHANGES} different rows of this dossier were taken, the most that are kept: send a "
        "row only where something changed, with the time of the change as source_time. A row "
        f"with which the dossier ends is still taken, up to {ENDS_BEYOND_BOUND} more.",
    )


def refuse_beyond_bound_of_client(held: int) -> Refusal | None:
    if held < MAX_HELD_ROWS:
        return None
    return Refusal(
        "too_many_held",
        f"{MAX_HELD_ROWS} progress rows of this client are held, the most that are: push the "
        "dossiers that they belong to, then send this row again.",
    )


def ends_before_reception(standing: Standing, status: int, time: datetime) -> bool:
    """Return whether a word ends a dossier before it was received, or filed if never received.

    Such a word counts for nothing. It is never the last one: no full row precedes its reception.
    """
    return status in ENDED and time < standing.opened_at


def other_authority(current: Standing, source: str) -> Refusal | None:
    """One system at a time is the authority for a dossier; others hold a copy.

    Which one it is, is not told.
    """
    if current.source == source:
        return None
    return Refusal(
        "other_source",
        "Another system tells of this dossier, and only that one may: check the code. A dossier "
        "kept in the mesh itself is changed through /dossier/v1, not pushed.",
    )
