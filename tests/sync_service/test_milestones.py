"""The end, the requests and the waits of a dossier follow from its timeline, at a bounded cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text

from tests.sync_service.national import PROGRESS, National, row

ROWS = 1_000
# Lines of other dossiers: so many that to read them all looks cheap to the planner.
OTHER_LINES = 60_000

_FILL = text(
    f"""
    INSERT INTO dossier_event (code, at, kind, status, detail, source, version, digest)
    SELECT 'H41.102-261001-' || n, timestamptz '2026-10-01' + step * interval '1 hour', 'synced',
        2 + step, '', 'external-h41', 0, n
    FROM generate_series(1, {OTHER_LINES // 3}) AS n, generate_series(1, 3) AS step
    """
)


@contextmanager
def timeline_queries(view: National) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that read timelines, with their parameters."""
    engine = view.sessions.kw["bind"].sync_engine
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "FROM dossier_event" in statement:
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def plans(view: National, queries: list[tuple[str, Any]]) -> list[str]:
    async with view.sessions() as session:
        connection = await session.connection()
        return [
            "\n".join((await connection.exec_driver_sql(f"EXPLAIN {query}", given)).scalars())
            for query, given in queries
        ]


async def test_push_reads_the_lines_of_its_dossiers_alone(empty: National) -> None:
    asked = [row(status=5) for _ in range(ROWS)]
    ended = [
        {"code": each["code"], "status": 9, "source_time": "2026-11-03T09:00:00+07:00"}
        for each in asked
    ]
    async with empty.sessions.begin() as session:
        await session.execute(_FILL)
        await session.execute(text("ANALYZE dossier_event"))
    with timeline_queries(empty) as queries:
        assert await empty.outcomes(*asked) == ["accepted"] * ROWS
        assert await empty.progress(*ended) == ["updated"] * ROWS
        assert await empty.progress(*ended) == ["duplicate"] * ROWS
    found = await plans(empty, queries)
    assert len(found) >= 3
    assert all("on dossier_event" in each for each in found)
    assert not [each for each in found if "Seq Scan on dossier_event" in each]


async def test_push_that_changes_nothing_asks_for_no_milestones(empty: National) -> None:
    pushed = row(status=5)
    ended = {"code": pushed["code"], "status": 9, "source_time": "2026-11-03T09:00:00+07:00"}
    await empty.push(pushed)
    await empty.push(ended, to=PROGRESS)
    before = await empty.read(pushed["code"])
    with timeline_queries(empty) as queries:
        assert await empty.outcomes(pushed) == ["duplicate"]
        assert await empty.progress(ended) == ["duplicate"]
    assert [query for query, _ in queries if "lag(status)" in query] == []
    assert await empty.read(pushed["code"]) == before
