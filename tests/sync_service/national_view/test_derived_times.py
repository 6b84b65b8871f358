"""The end, the requests and the waits of a dossier follow from its timeline, at a bounded cost."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice, permutations
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.sync_service.national import PROGRESS, National, at, row

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


# Statuses by their day of November at 9:00, after reception on the 2nd, and the day of the end.
ENDS = [
    ([(3, 8), (5, 10)], 3),
    ([(3, 7), (5, 10)], 3),
    ([(3, 8), (5, 10), (6, 10)], 3),
    # A result after the stop: its day counts, and its return does not.
    ([(3, 8), (4, 9), (5, 10)], 4),
    ([(3, 9), (5, 10)], 3),
    # Taken up again: the first stop is forgotten, the second one is not.
    ([(3, 8), (4, 4), (5, 8), (6, 10)], 5),
    ([(3, 8), (4, 4), (5, 10)], 5),
    ([(3, 8), (4, 4), (5, 9), (6, 10)], 5),
    # Without a 9 the return is the end, if nothing broke the dossier off before it.
    ([(5, 10)], 5),
    ([(3, 10), (5, 10)], 3),
]


def day(number: int) -> datetime:
    return at(f"11-{number:02} 09:00")


async def end_of(view: National, code: str) -> datetime | None:
    ended = (await view.read(code))["ended_at"]
    return datetime.fromisoformat(ended) if ended else None


@pytest.mark.parametrize(("course", "end"), ENDS)
async def test_end_by_hand_of_a_course_that_progress_tells_in_any_order(
    national: National, course: Sequence[tuple[int, int]], end: int
) -> None:
    for order in islice(permutations(course), 6):
        pushed = row(status=2)
        code = pushed["code"]
        await national.push(pushed)
        for number, status in order:
            step = {"code": code, "status": status, "source_time": day(number).isoformat()}
            await national.push(step, to=PROGRESS)
        assert await end_of(national, code) == day(end)


# The end that a full row with status 10 of the 5th gives: mostly the day of the return.
@pytest.mark.parametrize(
    ("broken_off", "given", "end"), [(8, 5, 3), (7, 5, 3), (8, None, 3), (8, 2, 2), (9, 5, 5)]
)
@pytest.mark.parametrize("is_turned", [False, True])
async def test_end_by_hand_where_a_full_row_tells_of_the_return(
    national: National, broken_off: int, given: int | None, end: int, *, is_turned: bool
) -> None:
    first = row(status=broken_off, source_time=day(3).isoformat(), finished_at=day(3).isoformat())
    finished = None if given is None else day(given).isoformat()
    last = first | {"status": 10, "source_time": day(5).isoformat(), "finished_at": finished}
    for each in (last, first) if is_turned else (first, last):
        await national.push(each)
    assert await end_of(national, first["code"]) == day(end)


async def test_stopped_in_time_stays_in_time_when_papers_go_back_late(empty: National) -> None:
    stopped = row(status=8, source_time=day(6).isoformat())
    returned = {"code": stopped["code"], "status": 10, "source_time": day(20).isoformat()}
    await empty.push(stopped)
    await empty.push(returned, to=PROGRESS)
    figure = await empty.figure("on_time", period="2026-11", agency="H41")
    assert (figure["counts"]["ended_in_time"], figure["counts"]["ended_late"]) == (1, 0)
