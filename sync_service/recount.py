"""The tallies once more, by scanning every dossier: what the kept ones must equal."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies import lineage
from sync_service.models import TallyCell, table
from sync_service.tallies import Cell, Grain, Handling, Measure

# Independent of `tallies`: what both say alike is not the same mistake made twice.
_ALIKE: Final = text(
    f"""
    WITH dossier AS (
        SELECT received_by, decided_by, channel, national_procedure,
            (received_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS received_on,
            (due_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS due_on,
            (ended_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS ended_on
        FROM national_dossier WHERE received_at IS NOT NULL),
    measured AS (
        SELECT {Measure.RECEIVED.value} AS measure, received_by AS agency, national_procedure,
            received_on, channel, {Handling.NOT_ASKED.value} AS outcome, NULL::date AS due_on
        FROM dossier
        UNION ALL
        SELECT {Measure.HANDLED.value}, decided_by, national_procedure, received_on, channel,
            CASE WHEN ended_on IS NULL THEN {Handling.OPEN.value}
                WHEN due_on IS NULL THEN {Handling.ENDED_WITHOUT_DUE.value}
                WHEN ended_on <= due_on THEN {Handling.ENDED_IN_TIME.value}
                ELSE {Handling.ENDED_LATE.value} END,
            CASE WHEN ended_on IS NULL THEN due_on END
        FROM dossier)
    SELECT agency, measure, grain.number, procedure.code,
        CASE grain.number WHEN {Grain.MONTH.value}
            THEN date_trunc('month', received_on)::date ELSE received_on END AS received_on,
        channel, outcome, due_on, count(*)
    FROM measured
        CROSS JOIN (VALUES ({Grain.DAY.value}), ({Grain.MONTH.value})) AS grain (number)
        CROSS JOIN LATERAL (VALUES (''), (national_procedure)) AS procedure (code)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    """  # noqa: S608 -- only numbers of this code's own enumerations are put in
)


async def recount(session: AsyncSession) -> Mapping[Cell, int]:
    """Takes as long as there are dossiers: for proofs and repairs, not for answers."""
    found: Counter[Cell] = Counter()
    for agency, *rest, count in await session.execute(_ALIKE):
        for above in lineage(agency):
            found[Cell(above, *rest)] += count
    return found


async def kept(session: AsyncSession) -> Mapping[Cell, int]:
    columns = [table(TallyCell).c[name] for name in (*Cell._fields, "count")]
    rows = await session.execute(select(*columns))
    return {Cell(*cell): count for *cell, count in rows}
