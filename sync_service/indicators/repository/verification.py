"""The stored counters, and a count of all dossiers from the beginning to compare them with.

The count takes as long as there are dossiers: it serves proofs, not answers. It shares no step with
`counters`, so that both cannot make the same mistake.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.bulk import get_table
from sync_service.agencies.hierarchy import list_up_to_country
from sync_service.indicators.counters import ALL_PROCEDURES, AgencyRole, Cell, Grain
from sync_service.indicators.models import CounterCell
from sync_service.national_view.handling import Handling

_COUNT_DOSSIERS: Final = text(
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


async def recount_cells(session: AsyncSession) -> Mapping[Cell, int]:
    """Return the count that each cell ought to have, by scanning every dossier."""
    counts: Counter[Cell] = Counter()
    for received_by, decided_by, procedure, day, *rest, count in await session.execute(
        _COUNT_DOSSIERS
    ):
        receiving, deciding = list_up_to_country(received_by), list_up_to_country(decided_by)
        for agency in {*receiving, *deciding}:
            received, decides = agency in receiving, agency in deciding
            part = (
                AgencyRole.BOTH
                if received and decides
                else AgencyRole.RECEIVED
                if received
                else AgencyRole.DECIDES
            )
            for code in (procedure, ALL_PROCEDURES):
                counts[Cell(agency, part, Grain.DAY, code, day, *rest)] += count
                counts[Cell(agency, part, Grain.MONTH, code, day.replace(day=1), *rest)] += count
    return counts


async def read_cells(session: AsyncSession) -> Mapping[Cell, int]:
    columns = [get_table(CounterCell).c[name] for name in (*Cell._fields, "count")]
    rows = await session.execute(select(*columns))
    return {Cell(*cell): count for *cell, count in rows}
