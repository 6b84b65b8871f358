"""Read the rows of timelines, and derive times from them in the database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, and_, literal_column, select, text, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.enums import ENDED, DossierStatus
from shared.codes.time import StoredInstant
from shared.database.bulk import column_arrays, get_table, unnested_rows
from sync_service.national_view.derived_times import REQUEST, DerivedTimes, derive_times
from sync_service.national_view.models import TimelineEntry
from sync_service.national_view.state import DossierState, TimelineRow

TIMELINE_ORDER: Final = ("at", "version", "digest", "status", "kind", "detail", "source")
# The types of these columns in a cursor.
TIMELINE_KEY: Final = (StoredInstant, int, int, int, str, str, str)


async def list_timeline(
    session: AsyncSession, code: str, *, after: tuple[Any, ...] | None, limit: int
) -> Sequence[TimelineEntry]:
    """Return up to `limit` rows, oldest first, that follow the row with the key `after`."""
    order = [get_table(TimelineEntry).c[name] for name in TIMELINE_ORDER]
    query = select(TimelineEntry).where(TimelineEntry.code == code)
    if after:
        query = query.where(tuple_(*order) > tuple_(*after))
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


async def list_stored_entries(
    session: AsyncSession, entries: Collection[TimelineRow]
) -> set[TimelineRow]:
    """Return the rows among these that are stored already."""
    rows = await session.execute(
        _build_stored_query(), column_arrays(TimelineEntry, TimelineRow._fields, entries)
    )
    return {TimelineRow._make(row) for row in rows}


@cache
def _build_stored_query() -> Select[Any, Any]:
    entries, stored = unnested_rows(TimelineEntry, *TimelineRow._fields), get_table(TimelineEntry).c
    same = and_(*(stored[name] == entries.c[name] for name in TimelineRow._fields))
    # OFFSET 0 makes the database look each row up in the index of the key, not scan the table.
    line = (
        select(*(stored[name] for name in TimelineRow._fields))
        .where(same)
        .offset(literal_column("0"))
        .lateral()
    )
    return select(*line.c).select_from(entries.join(line, true()))


async def compute_derived_times(
    session: AsyncSession, states: Collection[DossierState], entries: Iterable[TimelineRow]
) -> Mapping[str, DerivedTimes]:
    """Return the derived times of dossiers by code.

    They follow from the timeline rows of each dossier's own source: the stored ones, and those of
    `entries`. The database reads them and returns one row for each dossier. No end lies before the
    reception or, without one, the filing, and a wait that ended before it does not count.
    """
    by_code = {state.code: state for state in states}
    sources = {code: state.source for code, state in by_code.items()}
    lines = [entry for entry in entries if sources.get(entry.code) == entry.source]
    columns = {
        "codes": list(sources),
        "sources": list(sources.values()),
        "opened": [state.opened_at for state in by_code.values()],
        "line_opened": [by_code[entry.code].opened_at for entry in lines],
        **{f"line_{name}": [getattr(entry, name) for entry in lines] for name in _LINE},
    }
    rows = await session.execute(_FIND, columns)
    return {
        code: derive_times(
            by_code[code],
            ended_at,
            list(zip(times or (), statuses or (), strict=True)),
            is_broken_off=is_broken_off,
        )
        for code, ended_at, is_broken_off, times, statuses in rows
    }


_LINE: Final = ("code", "at", "version", "digest", "status")
_BROKEN_OFF: Final = f"{DossierStatus.WITHDRAWN.value}, {DossierStatus.STOPPED.value}"
# The end is the first status 9 since the dossier was last open; without a 9 the first of 7, 8 and
# 10, since a 10 after a 7 or 8 hands papers back and is no result; without these the refusal, 3. A
# request and its wait begin where a status 5 follows another status; repetitions of it do not count
# again. The wait ends where another status follows.
# OFFSET 0 makes the database look each dossier up in the index of the key; without it the database
# reads the whole table, even for a few dossiers.
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
            bool_and(status IN ({", ".join(str(int(status)) for status in sorted(ENDED))}))
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
