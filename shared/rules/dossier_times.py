"""Find instants of a dossier that lie ahead or contradict each other.

The rule is the same for filings, pushes and events. Equal instants are in order.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

# Clocks differ, so an instant up to this far ahead counts as past.
CLOCK_SLACK: Final = timedelta(minutes=5)

# Only a due date may lie ahead.
HAPPENED: Final = (
    "filed_at",
    "received_at",
    "refused_at",
    "asked_at",
    "supplemented_at",
    "paid_at",
    "finished_at",
    "returned_at",
    "source_time",
)
ORDER: Final = (
    ("filed_at", "received_at"),
    ("received_at", "due_at"),
    ("received_at", "finished_at"),
    ("finished_at", "returned_at"),
    ("filed_at", "refused_at"),
    ("asked_at", "supplemented_at"),
    # These follow from the pairs above where an instant between is unknown.
    ("filed_at", "finished_at"),
    ("filed_at", "returned_at"),
    ("received_at", "returned_at"),
    # A state that its source wrote earlier could not contain these.
    ("filed_at", "source_time"),
    ("received_at", "source_time"),
)


class TimeFault(NamedTuple):
    """A fault; `rule` is a code for programs, `detail` names the fields and the correction."""

    rule: str
    detail: str


def is_ahead(instant: datetime, now: datetime) -> bool:
    return instant > now + CLOCK_SLACK


def list_time_faults(facts: Mapping[str, datetime | None], now: datetime) -> Iterator[TimeFault]:
    """Yield the faults among the instants of one dossier; unknown instants are None."""
    latest = now + CLOCK_SLACK
    known = {name: instant for name, instant in facts.items() if instant is not None}
    for name in HAPPENED:
        if name in known and known[name] > latest:
            yield TimeFault(
                f"{_name_act(name)}_ahead",
                f"{name} lies more than 5 minutes ahead: correct it, or set the sender's clock",
            )
    for earlier, later in ORDER:
        if earlier in known and later in known and known[later] < known[earlier]:
            yield TimeFault(
                f"{_name_act(later)}_before_{_name_act(earlier)}",
                f"{later} lies before {earlier}: correct the one that is wrong",
            )


def _name_act(name: str) -> str:
    return name.removesuffix("_at")
