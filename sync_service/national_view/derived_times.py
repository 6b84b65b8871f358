"""The end, the requests for papers and the waits that a timeline has (QĐ 766)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.enums import ENDED, DossierStatus
from shared.rules.deadlines import Wait, waits_for_papers
from sync_service.national_view.state import Entry, Standing

REQUEST: Final = DossierStatus.SUPPLEMENT_REQUESTED


class Milestones(NamedTuple):
    """Milestones of one dossier; None, or no requests, where its timeline has none.

    `requests` counts those since the reception, and `requested_at` is the time of the first of
    them; without one it is that of the first before the reception.

    `is_broken_off` where the end is that of a withdrawal (7) or a stop (8): papers that are handed
    back afterwards (10) are no result, and do not move it.
    """

    ended_at: datetime | None = None
    is_broken_off: bool = False
    requests: int = 0
    requested_at: datetime | None = None
    waits: Sequence[Wait] = ()


async def find_milestones(
    session: AsyncSession, standings: Collection[Standing], entries: Iterable[Entry]
) -> Mapping[str, Milestones]:
    """Return the milestones of dossiers by code.

    They follow from the lines of each dossier's own source: those that are stored, and those of
    `entries`. The database reads the lines, and sends one row for each dossier. No end lies before
    the reception or, without one, the filing, and no wait that ended before it counts.
    """
    by_code = {each.code: each for each in standings}
    sources = {code: each.source for code, each in by_code.items()}
    lines = [each for each in entries if sources.get(each.code) == each.source]
    given = {
        "codes": list(sources),
        "sources": list(sources.values()),
        "opened": [each.opened_at for each in by_code.values()],
        "line_opened": [by_code[each.code].opened_at for each in lines],
        **{f"line_{name}": [getattr(each, name) for each in lines] for name in _LINE},
    }
    rows = await session.execute(_FIND, given)
    return {
        code: _milestones(
            by_code[code],
            ended_at,
            list(zip(times or (), statuses or (), strict=True)),
            is_broken_off=is_broken_off,
        )
        for code, ended_at, is_broken_off, times, statuses in rows
    }


def _milestones(
    standing: Standing,
    ended_at: datetime | None,
    edges: Sequence[tuple[datetime, int]],
    *,
    is_broken_off: bool,
) -> Milestones:
    waits = waits_for_papers(edges, after=standing.received_at)
    return Milestones(ended_at, is_broken_off, *_count_requests(standing, edges), waits)


def _count_requests(
    standing: Standing, edges: Iterable[tuple[datetime, int]]
) -> tuple[int, datetime | None]:
    """Return how often papers were requested since the reception, and when first.

    The handling begins with the reception: a request before it counts only while its wait lasts,
    as one of the reception.
    """
    asked = [at for at, status in edges if status == REQUEST]
    received_at = standing.received_at
    since = [at for at in asked if received_at is None or at >= received_at]
    if received_at and asked and not since and standing.status == REQUEST:
        since = [received_at]
    return len(since), next(iter(since or asked), None)


_LINE: Final = ("code", "at", "version", "digest", "status")
_BROKEN_OFF: Final = f"{DossierStatus.WITHDRAWN.value}, {DossierStatus.STOPPED.value}"
# The end is the first status 9 since the dossier was last open; without a 9 the first of 7, 8 and
# 10, since a 10 after a 7 or 8 hands papers back and is no result; without these the refusal, 3. A
# request and its wait begin where a status 5 follows another status, however often it is repeated;
# the wait ends where another status follows.
# OFFSET 0 makes the database look each dossier up in the index of the key: it would else read the
# whole table, however few of its lines are asked for.
_FIND: Final = text(
    f"""
    WITH line AS (
        SELECT code, opened, at, version, digest, status
        FROM unnest(CAST(:codes AS text[]), CAST(:sources AS text[]),
                CAST(:opened AS timestamptz[])) AS dossier (code, of_source, opened)
            CROSS JOIN LATERAL (
                SELECT source, at, version, digest, status FROM dossier_event
                WHERE code = dossier.code OFFSET 0) AS stored
        WHERE source = of_source
        UNION
        SELECT * FROM unnest(CAST(:line_code AS text[]), CAST(:line_opened AS timestamptz[]),
            CAST(:line_at AS timestamptz[]), CAST(:line_version AS bigint[]),
            CAST(:line_digest AS bigint[]), CAST(:line_status AS smallint[]))),
    placed AS (
        SELECT *, lag(status) OVER course AS before,
            bool_and(status IN ({", ".join(str(int(each)) for each in sorted(ENDED))}))
                OVER (course ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS is_since_open
        FROM line
        WINDOW course AS (PARTITION BY code ORDER BY at, version, digest, status)),
    marked AS (
        SELECT *, is_since_open AND at >= opened AS is_end,
            (status = {REQUEST.value}) IS DISTINCT FROM (before = {REQUEST.value}) AS is_edge
        FROM placed)
    SELECT code,
        coalesce(
            min(at) FILTER (WHERE is_end AND status = {DossierStatus.PROCESSED.value}),
            min(at) FILTER (WHERE is_end AND status <> {DossierStatus.NOT_RECEIVED.value}),
            min(at) FILTER (WHERE is_end)),
        NOT coalesce(bool_or(is_end AND status = {DossierStatus.PROCESSED.value}), false)
            AND coalesce((array_agg(status ORDER BY at, version, digest, status)
                FILTER (WHERE is_end AND status <> {DossierStatus.NOT_RECEIVED.value}))[1]
                IN ({_BROKEN_OFF}), false),
        array_agg(at ORDER BY at, version, digest, status) FILTER (WHERE is_edge),
        array_agg(status ORDER BY at, version, digest, status) FILTER (WHERE is_edge)
    FROM marked GROUP BY code
    """  # noqa: S608 -- only numbers of this code's own enumeration are put in
)
