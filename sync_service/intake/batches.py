"""Apply the rows of one push to the states of their dossiers. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sync_service.intake.row_rules import (
    RowOutcome,
    RowRefusal,
    breaks_transitions,
    classify_update,
    ends_before_reception,
    lacks_reception,
    refuse_beyond_bound,
)
from sync_service.national_view.state import (
    PROGRESS_VERSION,
    DossierState,
    TimelineRow,
)

PROGRESSED: Final = "progressed"
SYNCED: Final = "synced"
SAME_TIME_OTHER_CONTENT: Final = "same_time_other_content"
TRANSITION_NOT_PERMITTED: Final = "transition_not_permitted"
NOT_RECEIVED: Final = "not_received"
END_BEFORE_RECEPTION: Final = "end_before_reception"


@dataclass(frozen=True, slots=True)
class TakenRow:
    """The result of a row that was not refused; `warnings` are codes, see row_warnings.py."""

    outcome: RowOutcome
    warnings: tuple[str, ...] = ()


@dataclass
class PushBatch:
    """One batch of one client, with the states of its dossiers before and after.

    `known` are the timeline rows of the batch that are stored already or repeat an earlier row;
    `entries` are the new ones. `to_publish` are the changed states.
    """

    source: str
    before: Mapping[str, DossierState]
    known: set[TimelineRow] = field(default_factory=set)
    after: dict[str, DossierState] = field(init=False)
    entries: list[TimelineRow] = field(default_factory=list)
    to_publish: list[DossierState] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.after = dict(self.before)

    def set_state(self, state: DossierState) -> None:
        self.after[state.code] = state
        self.to_publish.append(state)

    def add_entry(self, entry: TimelineRow) -> None:
        self.known.add(entry)
        self.entries.append(entry)

    def may_be_stored(self, entry: TimelineRow) -> bool:
        """Return whether the row can be stored already; one later than all others cannot."""
        current = self.before.get(entry.code)
        if current is None:
            return False
        if entry.kind == PROGRESSED:
            return entry.at <= current.source_time
        return (entry.at, entry.version, entry.digest) <= current.facts_order

    def take_row(self, pushed: DossierState) -> TakenRow | RowRefusal:
        """Apply a full row, given as the state that it alone describes."""
        current = self.after.get(pushed.code)
        verdict, entry = classify_update(current, pushed), make_row_entry(pushed)
        if isinstance(verdict, RowRefusal):
            return verdict
        if verdict is RowOutcome.DUPLICATE or entry in self.known:
            return TakenRow(verdict)
        if current and (refusal := refuse_beyond_bound(current.version, pushed.status)):
            return refusal
        self.add_entry(entry)
        if current is None:
            self.set_state(pushed)
            return TakenRow(verdict)
        if verdict is RowOutcome.UPDATED:
            merged = current.with_facts_of(pushed)
            warnings = _warn_of_transition(current, merged)
            self.set_state(merged)
        else:
            warnings = _warn_of_stale(current, entry)
            self.after[pushed.code] = current.with_one_more_row()
        if pushed.facts_order[:2] == current.facts_order[:2]:
            warnings = (*warnings, SAME_TIME_OTHER_CONTENT)
        return TakenRow(verdict, warnings)

    def take_progress(self, entry: TimelineRow) -> TakenRow | RowRefusal:
        """Apply a progress row; one of an unknown dossier is held."""
        if (current := self.after.get(entry.code)) is None:
            return TakenRow(RowOutcome.HELD)
        beyond = refuse_beyond_bound(current.version, entry.status)
        if beyond and entry not in self.known:
            return beyond
        return self._take_entry(entry)

    def take_held(self, entries: Iterable[TimelineRow]) -> dict[str, set[str]]:
        """Apply held progress; return the warnings by dossier, for the row that released it."""
        warnings: dict[str, set[str]] = {}
        for entry in sorted(entries):
            result = self._take_entry(entry)
            warnings.setdefault(entry.code, set()).update(result.warnings)
        return warnings

    def _take_entry(self, entry: TimelineRow) -> TakenRow:
        current = self.after[entry.code]
        if entry in self.known:
            return TakenRow(RowOutcome.DUPLICATE)
        self.add_entry(entry)
        moved = current.with_progress(entry.status, entry.at)
        if not current.is_superseded_by(entry.status, entry.at):
            self.after[entry.code] = moved
            return TakenRow(RowOutcome.STALE, _warn_of_stale(current, entry))
        self.set_state(moved)
        return TakenRow(RowOutcome.UPDATED, _warn_of_transition(current, moved))


def _warn_of_transition(before: DossierState, after: DossierState) -> tuple[str, ...]:
    conditions = {
        TRANSITION_NOT_PERMITTED: breaks_transitions(before, after),
        NOT_RECEIVED: lacks_reception(after),
    }
    return tuple(warning for warning, applies in conditions.items() if applies)


def _warn_of_stale(state: DossierState, entry: TimelineRow) -> tuple[str, ...]:
    is_early = ends_before_reception(state, entry.status, entry.at)
    return (END_BEFORE_RECEPTION,) if is_early else ()


def make_row_entry(pushed: DossierState) -> TimelineRow:
    order = pushed.facts_version, pushed.facts_digest
    return TimelineRow(
        pushed.code, pushed.facts_time, SYNCED, pushed.status, "", pushed.source, *order
    )


def make_progress_entry(
    code: str, at: datetime, status: int, step: str, source: str
) -> TimelineRow:
    return TimelineRow(code, at, PROGRESSED, status, step, source, PROGRESS_VERSION, 0)
