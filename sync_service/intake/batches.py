"""Apply the rows of one push to the states of their dossiers. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sync_service.intake.row_rules import (
    Outcome,
    Refusal,
    breaks_transitions,
    ends_before_reception,
    judge,
    lacks_reception,
    refuse_beyond_bound,
)
from sync_service.national_view.state import (
    PROGRESS_VERSION,
    Entry,
    Standing,
)

PROGRESSED: Final = "progressed"
SYNCED: Final = "synced"
SAME_TIME_OTHER_CONTENT: Final = "same_time_other_content"
TRANSITION_NOT_PERMITTED: Final = "transition_not_permitted"
NOT_RECEIVED: Final = "not_received"
END_BEFORE_RECEPTION: Final = "end_before_reception"


@dataclass(frozen=True, slots=True)
class Taken:
    """The result of a row that was not refused; `warnings` are codes, see docs/api.md."""

    outcome: Outcome
    warnings: tuple[str, ...] = ()


@dataclass
class Intake:
    """One batch of one client, with the states of its dossiers before and after.

    `known` are the timeline rows of the batch that are stored already or repeat an earlier row;
    `entries` are the new ones. `told` are the states to publish.
    """

    source: str
    before: Mapping[str, Standing]
    known: set[Entry] = field(default_factory=set)
    after: dict[str, Standing] = field(init=False)
    entries: list[Entry] = field(default_factory=list)
    told: list[Standing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.after = dict(self.before)

    def settle(self, standing: Standing) -> None:
        self.after[standing.code] = standing
        self.told.append(standing)

    def note(self, entry: Entry) -> None:
        self.known.add(entry)
        self.entries.append(entry)

    def may_be_known(self, word: Entry) -> bool:
        """Return whether the row can be stored already; one later than all others cannot."""
        current = self.before.get(word.code)
        if current is None:
            return False
        if word.kind == PROGRESSED:
            return word.at <= current.source_time
        return (word.at, word.version, word.digest) <= current.facts_order

    def take_row(self, told: Standing) -> Taken | Refusal:
        """Apply a full row, given as the state that it alone describes."""
        current = self.after.get(told.code)
        verdict, word = judge(current, told), word_of_row(told)
        if isinstance(verdict, Refusal):
            return verdict
        if verdict is Outcome.DUPLICATE or word in self.known:
            return Taken(verdict)
        if current and (refusal := refuse_beyond_bound(current.version, told.status)):
            return refusal
        self.note(word)
        if current is None:
            self.settle(told)
            return Taken(verdict)
        if verdict is Outcome.UPDATED:
            merged = current.with_facts_of(told)
            warnings = _of_transition(current, merged)
            self.settle(merged)
        else:
            warnings = _of_stale(current, word)
            self.after[told.code] = current.with_one_more_word()
        if told.facts_order[:2] == current.facts_order[:2]:
            warnings = (*warnings, SAME_TIME_OTHER_CONTENT)
        return Taken(verdict, warnings)

    def take_progress(self, word: Entry) -> Taken | Refusal:
        """Apply a progress row; one of an unknown dossier is held."""
        if (current := self.after.get(word.code)) is None:
            return Taken(Outcome.HELD)
        beyond = refuse_beyond_bound(current.version, word.status)
        if beyond and word not in self.known:
            return beyond
        return self._take_word(word)

    def take_held(self, words: Iterable[Entry]) -> dict[str, set[str]]:
        """Apply held progress; return the warnings by dossier, for the row that released it."""
        warnings: dict[str, set[str]] = {}
        for word in sorted(words):
            taken = self._take_word(word)
            warnings.setdefault(word.code, set()).update(taken.warnings)
        return warnings

    def _take_word(self, word: Entry) -> Taken:
        current = self.after[word.code]
        if word in self.known:
            return Taken(Outcome.DUPLICATE)
        self.note(word)
        moved = current.with_progress(word.status, word.at)
        if not current.is_superseded_by(word.status, word.at):
            self.after[word.code] = moved
            return Taken(Outcome.STALE, _of_stale(current, word))
        self.settle(moved)
        return Taken(Outcome.UPDATED, _of_transition(current, moved))


def _of_transition(before: Standing, after: Standing) -> tuple[str, ...]:
    found = {
        TRANSITION_NOT_PERMITTED: breaks_transitions(before, after),
        NOT_RECEIVED: lacks_reception(after),
    }
    return tuple(warning for warning, is_so in found.items() if is_so)


def _of_stale(standing: Standing, word: Entry) -> tuple[str, ...]:
    is_early = ends_before_reception(standing, word.status, word.at)
    return (END_BEFORE_RECEPTION,) if is_early else ()


def word_of_row(told: Standing) -> Entry:
    order = told.facts_version, told.facts_digest
    return Entry(told.code, told.facts_time, SYNCED, told.status, "", told.source, *order)


def progress_word(code: str, at: datetime, status: int, step: str, source: str) -> Entry:
    return Entry(code, at, PROGRESSED, status, step, source, PROGRESS_VERSION, 0)
