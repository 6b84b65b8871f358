"""The statements that change the counters."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.indicators.counters import ALL_PROCEDURES, Cell, Dimensions, Grain, agency_roles


async def add_counts(
    session: AsyncSession, counter: Mapping[Dimensions, int], *, changes: int
) -> None:
    """Add to the cells in which such dossiers are counted; `changes` is the number of dossiers.

    Without changes nothing is counted now, so that the time of the last count stays.
    """
    if not changes:
        return
    roles = [
        (received_by, decided_by, agency, part.value)
        for received_by, decided_by in {
            (dimensions.received_by, dimensions.decided_by) for dimensions in counter
        }
        for agency, part in agency_roles(received_by, decided_by).items()
    ]
    columns = _make_columns(Dimensions._fields, list(counter)) | {"change": list(counter.values())}
    columns |= _make_columns(("receiving", "deciding", "agency", "part"), roles)
    empty = (await session.scalars(_ADD, columns | {"changes": changes})).all()
    if empty:
        # Otherwise each due day of the past would leave empty cells behind.
        await session.execute(_DROP, {"places": empty})


def _make_columns(
    names: Sequence[str], rows: Sequence[Sequence[object]]
) -> dict[str, list[object]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


# Each statement locks its cells in this order, so that no two transactions wait for each other.
# Only the database sorts, because its order of texts is not that of Python.
_LOCK_ORDER: Final = "ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
# The database multiplies, because the cells of a batch are ten times its dossiers. The result names
# the empty cells.
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
        {_LOCK_ORDER}
        ON CONFLICT (agency, part, grain, procedure, received_on, channel, outcome, due_on)
            DO UPDATE SET count = tally.count + excluded.count
        RETURNING tally.ctid AS place, tally.count),
    state AS (
        UPDATE tally_state
        SET changes = changes + CAST(:changes AS integer), at = clock_timestamp())
    SELECT place FROM changed WHERE count = 0
    """  # noqa: S608 -- only constants of this feature are put in
)
# The cells are named by ctid, which holds until the end of the transaction that wrote them.
_DROP: Final = text("DELETE FROM tally WHERE ctid = ANY(CAST(:places AS tid[]))")


async def add_to_cells(session: AsyncSession, changes: Mapping[Cell, int]) -> None:
    """Add to single cells, and delete those that become empty.

    Addition commutes with the changes of other transactions, so that the caller may have read the
    cells before without a lock.
    """
    columns = _make_columns(Cell._fields, list(changes)) | {"change": list(changes.values())}
    empty = [place for place in await session.scalars(_ADD_TO_CELLS, columns) if place]
    if empty:
        await session.execute(_DROP, {"places": empty})


_ADD_TO_CELLS: Final = text(
    f"""
    INSERT INTO tally (agency, part, grain, procedure, received_on, channel, outcome, due_on, count)
    SELECT * FROM unnest(
        CAST(:agency AS varchar[]), CAST(:part AS smallint[]), CAST(:grain AS smallint[]),
        CAST(:procedure AS varchar[]), CAST(:received_on AS date[]), CAST(:channel AS smallint[]),
        CAST(:outcome AS smallint[]), CAST(:due_on AS date[]), CAST(:change AS bigint[]))
    {_LOCK_ORDER}
    ON CONFLICT (agency, part, grain, procedure, received_on, channel, outcome, due_on)
        DO UPDATE SET count = tally.count + excluded.count
    RETURNING CASE WHEN tally.count = 0 THEN tally.ctid END
    """  # noqa: S608 -- only constants of this feature are put in
)
