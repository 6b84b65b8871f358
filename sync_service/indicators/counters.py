"""How the tallies change with a dossier.

A cell counts the dossiers that are alike in all that an indicator asks. Each dossier stands in the
cells of its receiving and its deciding agency and of all above them, by day and by month, under
its procedure and under all procedures. An indicator is then a sum over few cells, whatever the
number of dossiers; and a change of a dossier is -1 in its old cells and +1 in its new ones.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import day_in_viet_nam
from sync_service.agencies.hierarchy import lineage
from sync_service.national_view.derived_times import REQUEST
from sync_service.national_view.state import Standing

ALL_PROCEDURES: Final = ""


class Part(IntEnum):
    """What the agency of a cell, or one below it, did: mostly one and the same does both."""

    RECEIVED = 1
    DECIDES = 2
    BOTH = 3


class Grain(IntEnum):
    DAY = 1
    MONTH = 2


class Handling(IntEnum):
    """How the handling stands or ended; days are compared, not hours (QĐ 766, 2.1)."""

    OPEN = 1
    ENDED_IN_TIME = 2
    ENDED_LATE = 3
    ENDED_WITHOUT_DUE = 4
    # Waits for supplements: while it waits, no day to come changes it.
    REQUESTED_IN_TIME = 5
    REQUESTED_LATE = 6


class Judged(Protocol):
    """What decides whether a dossier is in time: a standing, or its row."""

    @property
    def status(self) -> int: ...
    @property
    def received_at(self) -> datetime | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def latest_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def requests(self) -> int: ...
    @property
    def requested_at(self) -> datetime | None: ...


class Cell(NamedTuple):
    agency: str
    part: int
    grain: int
    procedure: str
    received_on: date
    channel: int
    outcome: int
    due_on: date | None


class Counted(NamedTuple):
    """All of a dossier that the tallies look at; days are those of Viet Nam."""

    received_by: str
    decided_by: str
    procedure: str
    received_on: date
    channel: int
    outcome: Handling
    due_on: date | None


def counted(standing: Standing | None) -> tuple[Counted, ...]:
    """Nothing of a dossier that was never received."""
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


def handling(standing: Judged) -> tuple[Handling, date | None]:
    """With the due day of an open dossier only: whether that is in time changes with the day.

    While it waits for supplements it is judged at the time of the request, and is late where it was
    requested before (QĐ 766, 2.1). `filters.overdue` says the same of one day.
    """
    due = standing.due_at or standing.latest_at
    due_on = day_in_viet_nam(due) if due else None
    if due_on is None:
        return (Handling.ENDED_WITHOUT_DUE if standing.ended_at else Handling.OPEN), None
    if standing.ended_at:
        in_time = day_in_viet_nam(standing.ended_at) <= due_on
        return (Handling.ENDED_IN_TIME if in_time else Handling.ENDED_LATE), None
    if standing.status != REQUEST or standing.requested_at is None:
        return Handling.OPEN, due_on
    in_time = standing.requests == 1 and day_in_viet_nam(standing.requested_at) <= due_on
    return (Handling.REQUESTED_IN_TIME if in_time else Handling.REQUESTED_LATE), None


def is_overdue(standing: Judged, today: date) -> bool:
    """Return whether the indicators count the dossier as open and late as of today."""
    outcome, due_on = handling(standing)
    is_late = outcome is Handling.REQUESTED_LATE or (due_on is not None and due_on < today)
    return standing.received_at is not None and is_late


def changes(pairs: Iterable[tuple[Standing | None, Standing]]) -> Mapping[Counted, int]:
    """How many more, or fewer, are alike when dossiers go from the first standing to the second."""
    alike: Counter[Counted] = Counter()
    for before, after in pairs:
        alike.subtract(counted(before))
        alike.update(counted(after))
    return {one: count for one, count in alike.items() if count}


@lru_cache(maxsize=65_536)
def parts(received_by: str, decided_by: str) -> Mapping[str, Part]:
    """The agencies in whose cells such a dossier stands, and what their part is."""
    receiving, deciding = lineage(received_by), lineage(decided_by)
    found = dict.fromkeys(receiving, Part.RECEIVED)
    return found | {
        agency: Part.BOTH if agency in receiving else Part.DECIDES for agency in deciding
    }


async def count(session: AsyncSession, pairs: Collection[tuple[Standing | None, Standing]]) -> None:
    alike = changes(pairs)
    places = [
        (received_by, decided_by, agency, part.value)
        for received_by, decided_by in {(one.received_by, one.decided_by) for one in alike}
        for agency, part in parts(received_by, decided_by).items()
    ]
    given = _columns(Counted._fields, list(alike)) | {"change": list(alike.values())}
    given |= _columns(("receiving", "deciding", "agency", "part"), places)
    empty = (await session.scalars(_ADD, given | {"changes": len(pairs)})).all()
    if empty:
        # Else every due day that ever was would leave its empty cells behind.
        await session.execute(_DROP, {"places": empty})


def _columns(names: Sequence[str], rows: Sequence[Sequence[object]]) -> dict[str, list[object]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


# The database multiplies: the cells of a batch are ten times its dossiers. In one order for all
# writers, so that no two of them wait for each other. Gives back where cells became empty.
_ADD: Final = text(
    f"""
    WITH alike AS (
        SELECT * FROM unnest(
            CAST(:received_by AS varchar[]), CAST(:decided_by AS varchar[]),
            CAST(:procedure AS varchar[]), CAST(:received_on AS date[]),
            CAST(:channel AS smallint[]), CAST(:outcome AS smallint[]),
            CAST(:due_on AS date[]), CAST(:change AS integer[]))
        AS alike (received_by, decided_by, procedure, received_on, channel, outcome, due_on,
            change)),
    place AS (
        SELECT * FROM unnest(
            CAST(:receiving AS varchar[]), CAST(:deciding AS varchar[]),
            CAST(:agency AS varchar[]), CAST(:part AS smallint[]))
        AS place (received_by, decided_by, agency, part)),
    changed AS (
        INSERT INTO tally (agency, part, grain, procedure, received_on, channel, outcome, due_on,
            count)
        SELECT agency, part, grain, counted.procedure, first, channel, outcome, due_on, sum(change)
        FROM alike JOIN place USING (received_by, decided_by)
            CROSS JOIN LATERAL (VALUES ({Grain.DAY.value}, received_on),
                ({Grain.MONTH.value}, date_trunc('month', received_on)::date)) AS day (grain, first)
            CROSS JOIN LATERAL (VALUES (alike.procedure), ('{ALL_PROCEDURES}'))
                AS counted (procedure)
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(change) <> 0
        ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
        ON CONFLICT (agency, part, grain, procedure, received_on, channel, outcome, due_on)
            DO UPDATE SET count = tally.count + excluded.count
        RETURNING tally.ctid AS place, tally.count),
    state AS (
        UPDATE tally_state
        SET changes = changes + CAST(:changes AS integer), at = clock_timestamp())
    SELECT place FROM changed WHERE count = 0
    """  # noqa: S608 -- only constants of this module are put in
)
# By their physical places, which hold until the transaction ends: it has just written them.
_DROP: Final = text("DELETE FROM tally WHERE ctid = ANY(CAST(:places AS tid[]))")
