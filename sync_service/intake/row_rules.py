"""The rules by which a pushed row is taken or refused, given its dossier. Pure."""

from datetime import datetime
from typing import Final

from shared.codes.enums import ENDED, DossierStatus
from shared.rules.statuses import permitted
from sync_service.intake.schemas import AFTER_RECEPTION
from sync_service.national_view.state import Outcome, Refusal, Standing

# The lines of one dossier: more would make one further line, and a look at it, dear.
MAX_CHANGES: Final = 500
ENDS_BEYOND_BOUND: Final = 50


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
    following = permitted(DossierStatus(before.status), before=None, is_received=is_received)
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
