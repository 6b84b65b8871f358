"""The end, the requests for papers and the waits that a timeline has (QĐ 766)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.deadlines import Wait, waits_for_papers
from shared.events.codes import ENDED, DossierStatus
from sync_service.standings import Entry, Standing

REQUEST: Final = DossierStatus.SUPPLEMENT_REQUESTED


class Milestones(NamedTuple):
    """Milestones of one dossier; None, or no requests, where its timeline has none."""

    ended_at: datetime | None = None
    requests: int = 0
    requested_at: datetime | None = None
    waits: Sequence[Wait] = ()


async def find_milestones(
    session: AsyncSession, standings: Collection[Standing], entries: Iterable[Entry]
) -> Mapping[str, Milestones]:
    """Return the milestones of dossiers by code.

    They follow from the lines of each dossier's own source: those that are stored, and those of
    `entries`. The database reads the lines, and sends one row for each dossier. No end lies before
    the reception, and no wait that ended before it counts.
    """
    received = {each.code: each.received_at for each in standings}
    sources = {each.code: each.source for each in standings}
    lines = [each for each in entries if sources.get(each.code) == each.source]
    given = {
        "codes": list(sources),
        "sources": list(sources.values()),
        "received": list(received.values()),
        "line_received": [received[each.code] for each in lines],
        **{f"line_{name}": [getattr(each, name) for each in lines] for name in _LINE},
    }
    rows = await session.execute(_FIND, given)
    return {
        code: Milestones(
            ended_at,
            requests,
            requested_at,
            waits_for_papers(zip(times or (), statuses or (), strict=True), after=received[code]),
        )
        for code, ended_at, requests, requested_at, times, statuses in rows
    }


_LINE: Final = ("code", "at", "version", "digest", "status")
# A request is a status 5 that follows another status, however often it is repeated. The end is
# the first status 9 since the dossier was last open; without a 9 the first 10, else the first end.
# A wait begins and ends where a status 5 follows another status, or another one a 5.
# OFFSET 0 makes the database look each dossier up in the index of the key: it would else read the
# whole table, however few of its lines are asked for.
_FIND: Final = text(
    f"""
    WITH line AS (
        SELECT code, received, at, version, digest, status
        FROM unnest(CAST(:codes AS text[]), CAST(:sources AS text[]),
                CAST(:received AS timestamptz[])) AS dossier (code, of_source, received)
            CROSS JOIN LATERAL (
                SELECT source, at, version, digest, status FROM dossier_event
                WHERE code = dossier.code OFFSET 0) AS stored
        WHERE source = of_source
        UNION
        SELECT * FROM unnest(CAST(:line_code AS text[]), CAST(:line_received AS timestamptz[]),
            CAST(:line_at AS timestamptz[]), CAST(:line_version AS bigint[]),
            CAST(:line_digest AS bigint[]), CAST(:line_status AS smallint[]))),
    placed AS (
        SELECT *, lag(status) OVER course AS before,
            bool_and(status IN ({", ".join(str(int(each)) for each in sorted(ENDED))}))
                OVER (course ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS is_since_open
        FROM line
        WINDOW course AS (PARTITION BY code ORDER BY at, version, digest, status)),
    marked AS (
        SELECT *, is_since_open AND (received IS NULL OR at >= received) AS is_end,
            status = {REQUEST.value} AND before IS DISTINCT FROM {REQUEST.value} AS is_request,
            (status = {REQUEST.value}) IS DISTINCT FROM (before = {REQUEST.value}) AS is_edge
        FROM placed)
    SELECT code,
        coalesce(
            min(at) FILTER (WHERE is_end AND status = {DossierStatus.PROCESSED.value}),
            min(at) FILTER (WHERE is_end AND status = {DossierStatus.RETURNED.value}),
            min(at) FILTER (WHERE is_end)),
        count(*) FILTER (WHERE is_request),
        min(at) FILTER (WHERE is_request),
        array_agg(at ORDER BY at, version, digest, status) FILTER (WHERE is_edge),
        array_agg(status ORDER BY at, version, digest, status) FILTER (WHERE is_edge)
    FROM marked GROUP BY code
    """  # noqa: S608 -- only numbers of this code's own enumeration are put in
)
