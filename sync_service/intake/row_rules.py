"""The rules by which a pushed row is taken or refused, given the state of its dossier. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.codes.enums import ENDED, DossierStatus
from shared.rules.statuses import permitted_statuses
from sync_service.national_view.state import DossierState

# A dossier reaches these statuses only after reception (rules of the ten statuses).
AFTER_RECEPTION: Final = frozenset(
    {DossierStatus.RECEIVED, DossierStatus.PROCESSING, DossierStatus.PROCESSED}
)
# The timeline rows of one dossier; with more, each change and each read would be expensive.
MAX_CHANGES: Final = 500
ENDS_BEYOND_BOUND: Final = 50
# The held rows of one client; concurrent pushes may each exceed it by the rows of one push.
MAX_HELD_ROWS = 20_000


class RowOutcome(StrEnum):
    """The outcome of one pushed row."""

    ACCEPTED = "accepted"
    UPDATED = "updated"
    DUPLICATE = "duplicate"
    STALE = "stale"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowRefusal:
    """The refusal of a row: `reason` is a code for programs, `detail` says how to correct it."""

    reason: str
    detail: str


def classify_update(current: DossierState | None, pushed: DossierState) -> RowOutcome | RowRefusal:
    """Return the outcome of a full row, given the state of its dossier, None if it is unknown."""
    if current is None:
        return RowOutcome.ACCEPTED
    if refusal := refuse_other_source(current, pushed.source):
        return refusal
    if pushed.facts_order == current.facts_order:
        return RowOutcome.DUPLICATE
    return RowOutcome.UPDATED if pushed.facts_order > current.facts_order else RowOutcome.STALE


def breaks_transitions(before: DossierState, after: DossierState) -> bool:
    """Return whether the table of transitions forbids the change; the same status is allowed.

    A reception that is later than the previous status came after it, and permits nothing there.
    """
    if before.status == after.status:
        return False
    received_at = after.received_at
    is_received = received_at is not None and received_at <= before.source_time
    permitted = permitted_statuses(
        DossierStatus(before.status), before=None, is_received=is_received
    )
    return after.status not in permitted


def lacks_reception(state: DossierState) -> bool:
    """Return whether the dossier has a status that follows reception, but no `received_at`."""
    return state.status in AFTER_RECEPTION and state.received_at is None


def refuse_beyond_bound(changes: int, status: int) -> RowRefusal | None:
    """Return a refusal where the dossier has the maximum of `changes` already.

    A row with an end is still taken beyond it, so that no dossier stays open for ever.
    """
    if changes < MAX_CHANGES + (ENDS_BEYOND_BOUND if status in ENDED else 0):
        return None
    return RowRefusal(
        "too_many_changes",
        f"{MAX_CHANGES} different rows of this dossier were taken, the most that are kept: send a "
        "row only where something changed, with the time of the change as source_time. A row "
        f"with which the dossier ends is still taken, up to {ENDS_BEYOND_BOUND} more.",
    )


def refuse_beyond_bound_of_client(held: int) -> RowRefusal | None:
    if held < MAX_HELD_ROWS:
        return None
    return RowRefusal(
        "too_many_held",
        f"{MAX_HELD_ROWS} progress rows of this client are held, the most that are: push the "
        "dossiers that they belong to, then send this row again.",
    )


def ends_before_reception(state: DossierState, status: int, time: datetime) -> bool:
    """Return whether a row ends a dossier before it was received, or filed if never received.

    Such a row has no effect. It is never the last one: no full row precedes its reception.
    """
    return status in ENDED and time < state.opened_at


def refuse_other_source(current: DossierState, source: str) -> RowRefusal | None:
    """Refuse a row of another system than the one that is the authority for the dossier.

    The refusal does not name that system.
    """
    if current.source == source:
        return None
    return RowRefusal(
        "other_source",
        "Another system pushes this dossier, and only that one may: check the code. A dossier "
        "kept in the mesh itself is changed through /dossier/v1, not pushed.",
    )
