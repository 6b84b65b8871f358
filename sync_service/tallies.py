"""The cells that a dossier is counted in, and how they change with it. Pure.

Each dossier stands under its receiving agency and all above it for `RECEIVED`, under its deciding
agency and all above it for `HANDLED`; each time by day and by month, for its procedure and for
all procedures. An indicator is then a sum over few cells, whatever the number of dossiers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from enum import IntEnum
from typing import Final, NamedTuple

from sync_service.agencies import lineage
from sync_service.standings import Standing, vn_day

ALL_PROCEDURES: Final = ""


class Measure(IntEnum):
    RECEIVED = 1
    HANDLED = 2


class Grain(IntEnum):
    DAY = 1
    MONTH = 2


class Handling(IntEnum):
    """How the handling stands or ended; days are compared, not hours (QĐ 766, 2.1)."""

    NOT_ASKED = 0
    ENDED_IN_TIME = 1
    ENDED_LATE = 2
    ENDED_WITHOUT_DUE = 3
    OPEN = 4


class Counted(NamedTuple):
    """All of a dossier that the tallies look at; `received_on`, `due_on` are days in Viet Nam."""

    measure: Measure
    agency: str
    procedure: str
    received_on: date
    channel: int
    outcome: Handling
    due_on: date | None


class Cell(NamedTuple):
    agency: str
    measure: Measure
    grain: Grain
    procedure: str
    received_on: date
    channel: int
    outcome: Handling
    due_on: date | None


def counted(standing: Standing | None) -> tuple[Counted, ...]:
    """Nothing of a dossier that was never received."""
    if standing is None or standing.received_at is None:
        return ()
    procedure, received_on = standing.national_procedure, vn_day(standing.received_at)
    outcome, due_on = handling(standing)
    return (
        Counted(
            Measure.RECEIVED,
            standing.received_by,
            procedure,
            received_on,
            standing.channel,
            Handling.NOT_ASKED,
            None,
        ),
        Counted(
            Measure.HANDLED,
            standing.decided_by,
            procedure,
            received_on,
            standing.channel,
            outcome,
            due_on,
        ),
    )


def handling(standing: Standing) -> tuple[Handling, date | None]:
    """With the due day of an open dossier only: whether that is in time changes with the day."""
    due_on = vn_day(standing.due_at) if standing.due_at else None
    if standing.ended_at is None:
        return Handling.OPEN, due_on
    if due_on is None:
        return Handling.ENDED_WITHOUT_DUE, None
    in_time = vn_day(standing.ended_at) <= due_on
    return (Handling.ENDED_IN_TIME if in_time else Handling.ENDED_LATE), None


def cells(one: Counted) -> Iterator[Cell]:
    month = one.received_on.replace(day=1)
    for agency in lineage(one.agency):
        for grain, received_on in ((Grain.DAY, one.received_on), (Grain.MONTH, month)):
            for procedure in (one.procedure, ALL_PROCEDURES):
                yield Cell(
                    agency,
                    one.measure,
                    grain,
                    procedure,
                    received_on,
                    one.channel,
                    one.outcome,
                    one.due_on,
                )


def changes(pairs: Iterable[tuple[Standing | None, Standing]]) -> dict[Cell, int]:
    """What to add to each cell when dossiers go from the first standing to the second."""
    alike: Counter[Counted] = Counter()
    for before, after in pairs:
        alike.subtract(counted(before))
        alike.update(counted(after))
    deltas: Counter[Cell] = Counter()
    for one, count in alike.items():
        if count:
            for cell in cells(one):
                deltas[cell] += count
    return {cell: count for cell, count in deltas.items() if count}


def in_order(cell: Cell) -> tuple[object, ...]:
    """One order for all writers of cells, so that no two wait for each other."""
    return (*cell[:-1], cell.due_on or date.min)
