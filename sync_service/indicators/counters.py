"""Compute how the counters change with a dossier. Pure.

A cell counts the dossiers with the same values in all dimensions of the indicators. Each dossier
is counted in the cells of its receiving and its deciding agency and of all above them, by day and
by month, under its procedure and under all procedures. An indicator is then a sum over few cells
for any number of dossiers; and a change of a dossier is -1 in its old cells and +1 in its new ones.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from shared.codes.time import day_in_viet_nam
from sync_service.agencies.hierarchy import lineage
from sync_service.national_view.handling import Handling, handling
from sync_service.national_view.state import Change, Standing

ALL_PROCEDURES: Final = ""


class Part(IntEnum):
    """The role of a cell's agency, or of one below it; mostly one agency has both roles."""

    RECEIVED = 1
    DECIDES = 2
    BOTH = 3


class Grain(IntEnum):
    """The length of the time over which a cell counts."""

    DAY = 1
    MONTH = 2


class Cell(NamedTuple):
    """The key of one counter."""

    agency: str
    part: int
    grain: int
    procedure: str
    received_on: date
    channel: int
    outcome: int
    due_on: date | None


class Counted(NamedTuple):
    """The values of a dossier by which it is counted; days are those of Viet Nam."""

    received_by: str
    decided_by: str
    procedure: str
    received_on: date
    channel: int
    outcome: Handling
    due_on: date | None


def counted(standing: Standing | None) -> tuple[Counted, ...]:
    """Return the dimensions of a dossier; none for one that was never received."""
    if standing is None or standing.received_at is None:
        return ()
    one = Counted(
        standing.received_by,
        standing.decided_by,
        standing.national_procedure,
        day_in_viet_nam(standing.received_at),
        standing.channel,
        *handling(standing),
    )
    return (one,)


def changes(pairs: Iterable[Change]) -> Mapping[Counted, int]:
    """Return by how much the number of dossiers changes for each set of dimensions."""
    alike: Counter[Counted] = Counter()
    for before, after in pairs:
        alike.subtract(counted(before))
        alike.update(counted(after))
    return {one: count for one, count in alike.items() if count}


@lru_cache(maxsize=65_536)
def parts(received_by: str, decided_by: str) -> Mapping[str, Part]:
    """Return the agencies in whose cells such a dossier is counted, each with its role."""
    receiving, deciding = lineage(received_by), lineage(decided_by)
    found = dict.fromkeys(receiving, Part.RECEIVED)
    return found | {
        agency: Part.BOTH if agency in receiving else Part.DECIDES for agency in deciding
    }
