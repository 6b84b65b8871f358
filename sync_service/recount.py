"""The tallies once more, by scanning every dossier: what the kept ones must equal."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from sync_service.agencies import is_under, lineage
from sync_service.models import TallyCell, table
from sync_service.tallies import ALL_PROCEDURES, Cell, Grain, Handling, Part

_ALIKE: Final = text(
    f"""
    WITH dossier AS (
        SELECT received_by, decided_by, channel, national_procedure AS procedure,
            (received_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS received_on,
            (due_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS due_on,
            (ended_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS ended_on
        FROM national_dossier WHERE received_at IS NOT NULL)
    SELECT received_by, decided_by, procedure, received_on, channel,
        CASE WHEN ended_on IS NULL THEN {Handling.OPEN.value}
            WHEN due_on IS NULL THEN {Handling.ENDED_WITHOUT_DUE.value}
            WHEN ended_on <= due_on THEN {Handling.ENDED_IN_TIME.value}
            ELSE {Handling.ENDED_LATE.value} END,
        CASE WHEN ended_on IS NULL THEN due_on END,
        count(*)
    FROM dossier GROUP BY 1, 2, 3, 4, 5, 6, 7
    """  # noqa: S608 -- only numbers of this code's own enumeration are put in
)


async def recount(session: AsyncSession) -> Mapping[Cell, int]:
    """Takes as long as there are dossiers: for proofs, not for answers.

    Shares no step with `tallies`: what both say alike is not the same mistake made twice.
    """
    found: Counter[Cell] = Counter()
    for received_by, decided_by, procedure, day, *rest, count in await session.execute(_ALIKE):
        for agency in {*lineage(received_by), *lineage(decided_by)}:
            received, decides = is_under(received_by, agency), is_under(decided_by, agency)
            part = (
                Part.BOTH if received and decides else Part.RECEIVED if received else Part.DECIDES
            )
            for code in (procedure, ALL_PROCEDURES):
                found[Cell(agency, part, Grain.DAY, code, day, *rest)] += count
                found[Cell(agency, part, Grain.MONTH, code, day.replace(day=1), *rest)] += count
    return found


async def kept(session: AsyncSession) -> Mapping[Cell, int]:
    columns = [table(TallyCell).c[name] for name in (*Cell._fields, "count")]
    rows = await session.execute(select(*columns))
    return {Cell(*cell): count for *cell, count in rows}
