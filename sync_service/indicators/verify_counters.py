"""Count once more by scanning every dossier: `python -m sync_service.indicators.verify_counters`.

Exit code 1 where a kept tally is not what the dossiers and their timelines say.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import get_table
from shared.database.engine import open_database
from sync_service.agencies.hierarchy import is_under, lineage
from sync_service.indicators.counters import ALL_PROCEDURES, Cell, Grain, Part
from sync_service.indicators.models import TallyCell
from sync_service.national_view.handling import Handling
from sync_service.settings import Settings

MOST_SHOWN = 100

_ALIKE: Final = text(
    f"""
    WITH request AS (
        SELECT line.code, min(line.at) AS first,
            count(DISTINCT (line.at, line.version, line.digest)) AS times
        FROM dossier_event AS line
            JOIN national_dossier AS of ON of.code = line.code AND of.source = line.source
        WHERE line.status = 5 AND line.at >= of.received_at AND 5 IS DISTINCT FROM (
            SELECT before.status FROM dossier_event AS before
            WHERE before.code = line.code AND before.source = line.source
                AND (before.at, before.version, before.digest, before.status)
                    < (line.at, line.version, line.digest, line.status)
            ORDER BY before.at DESC, before.version DESC, before.digest DESC, before.status DESC
            LIMIT 1)
        GROUP BY 1),
    dossier AS (
        SELECT received_by, decided_by, channel, status, national_procedure AS procedure,
            (received_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS received_on,
            (coalesce(due_at, latest_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS due_on,
            (ended_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS ended_on,
            request.times,
            (coalesce(request.first, received_at) AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
                AS requested_on
        FROM national_dossier LEFT JOIN request USING (code) WHERE received_at IS NOT NULL),
    judged AS (
        SELECT *, CASE
            WHEN due_on IS NULL AND ended_on IS NULL THEN {Handling.OPEN.value}
            WHEN due_on IS NULL THEN {Handling.ENDED_WITHOUT_DUE.value}
            WHEN ended_on <= due_on THEN {Handling.ENDED_IN_TIME.value}
            WHEN ended_on > due_on THEN {Handling.ENDED_LATE.value}
            WHEN status <> 5 THEN {Handling.OPEN.value}
            WHEN times > 1 OR requested_on > due_on THEN {Handling.REQUESTED_LATE.value}
            ELSE {Handling.REQUESTED_IN_TIME.value} END AS outcome
        FROM dossier)
    SELECT received_by, decided_by, procedure, received_on, channel, outcome,
        CASE WHEN outcome = {Handling.OPEN.value} THEN due_on END, count(*)
    FROM judged GROUP BY 1, 2, 3, 4, 5, 6, 7
    """  # noqa: S608 -- only numbers of this code's own enumeration are put in
)


async def recount(session: AsyncSession) -> Mapping[Cell, int]:
    """Takes as long as there are dossiers: for proofs, not for answers.

    Shares no step with `counters`: what both say alike is not the same mistake made twice.
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
    columns = [get_table(TallyCell).c[name] for name in (*Cell._fields, "count")]
    rows = await session.execute(select(*columns))
    return {Cell(*cell): count for *cell, count in rows}


async def differences(session: AsyncSession) -> tuple[int, list[str]]:
    """How many cells there are, and what is wrong; all as of one instant."""
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    counted, expected = await kept(session), await recount(session)
    cells = counted.keys() | expected.keys()
    wrong = [cell for cell in cells if counted.get(cell, 0) != expected.get(cell, 0)]
    return len(cells), [
        f"{_named(cell)}: {counted.get(cell, 0)} kept, {expected.get(cell, 0)} counted"
        for cell in sorted(wrong, key=str)
    ]


def _named(cell: Cell) -> str:
    part, grain, outcome = Part(cell.part), Grain(cell.grain), Handling(cell.outcome)
    due = f", due {cell.due_on}" if cell.due_on else ""
    return (
        f"{cell.agency} {part.name}, {grain.name} {cell.received_on}, "
        f"procedure {cell.procedure or 'all'}, channel {cell.channel}, {outcome.name}{due}"
    )


async def main(settings: Settings) -> int:
    async with open_database(settings) as sessions, sessions() as session:
        cells, wrong = await differences(session)
    hidden = len(wrong) - MOST_SHOWN
    lines = wrong[:MOST_SHOWN] + ([f"and {hidden:,} more"] if hidden > 0 else [])
    verdict = f"{len(wrong):,} DIFFER" if wrong else "all equal a recount"
    print("\n".join([*lines, f"{cells:,} tallies: {verdict}"]))  # noqa: T201 -- its purpose
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Settings.read())))
