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
from sync_service.agencies.hierarchy import list_up_to_country
from sync_service.national_view.handling import Handling, judge_handling
from sync_service.national_view.state import Change, DossierState

ALL_PROCEDURES: Final = ""


class AgencyRole(IntEnum):
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


class Dimensions(NamedTuple):
    """The values of a dossier by which it is counted; days are those of Viet Nam."""

    received_by: str
    decided_by: str
    procedure: str
    received_on: date
    channel: int
    outcome: Handling
    due_on: date | None


def list_dimensions(state: DossierState | None) -> tuple[Dimensions, ...]:
    """Return the dimensions of a dossier; none for one that was never received."""
    if state is None or state.received_at is None:
        return ()
    dimensions = Dimensions(
        state.received_by,
        state.decided_by,
        state.national_procedure,
        day_in_viet_nam(state.received_at),
        state.channel,
        *judge_handling(state),
    )
    return (dimensions,)


def sum_changes(pairs: Iterable[Change]) -> Mapping[Dimensions, int]:
    """Return by how much the number of dossiers changes for each set of dimensions."""
    counter: Counter[Dimensions] = Counter()
    for before, after in pairs:
        counter.subtract(list_dimensions(before))
        counter.update(list_dimensions(after))
    return {dimensions: count for dimensions, count in counter.items() if count}


@lru_cache(maxsize=65_536)
def agency_roles(received_by: str, decided_by: str) -> Mapping[str, AgencyRole]:
    """Return the agencies in whose cells such a dossier is counted, each with its role."""
    receiving, deciding = list_up_to_country(received_by), list_up_to_country(decided_by)
    roles = dict.fromkeys(receiving, AgencyRole.RECEIVED)
    return roles | {
        agency: AgencyRole.BOTH if agency in receiving else AgencyRole.DECIDES
        for agency in deciding
    }
