"""A rebuilt national view equals the old one, also where rows were lost or damaged."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.session import SessionFactory
from shared.events import DossierEvent
from shared.runtime.retained_log import Bookmarks, LogBatch, LogReplacedError
from sync_service.national_view.repository.rebuilds import RebuildInterfered
from sync_service.rebuild import Rebuild
from tests.sync_service.national import National, filed, moved, new_code, progressed, row, standing

COLUMNS = {
    "national_dossier": "*",
    "dossier_event": "code, at, kind, status, detail, source, version, digest",
    "national_party": "*",
    "national_party_pending": "*",
    "tally": "agency, part, grain, procedure, received_on, channel, outcome, due_on, count",
    "held_progress": "*",
}
DAMAGES = {
    "nothing": "SELECT 1",
    "lost dossiers": "DELETE FROM national_dossier WHERE source = '/dossier_service'",
    "lost rows of timelines": "DELETE FROM dossier_event WHERE source = '/dossier_service'",
    "wrong states": "UPDATE national_dossier SET status = 1, due_at = NULL, requests = 7"
    " WHERE source = '/dossier_service'",
    "wrong derived times": "UPDATE national_dossier SET ended_at = '2026-11-20', requests = 3",
    "wrong columns of lists": "UPDATE national_dossier SET deciding = 'H01', opened_at = now()",
    "lost parties": "DELETE FROM national_party",
    "wrong parties": "UPDATE national_party SET deciding = 'H01', channel = 3",
    "parties of no dossier": "INSERT INTO national_party_pending"
    " VALUES ('H26', now(), 'H26.1-261102-0001', '1.001193', 1, 'H26')",
    "lost counters": "DELETE FROM tally WHERE agency < 'H41'",
    "wrong counters": "UPDATE tally SET count = count + 2 WHERE grain = 1",
    "counters of no dossier": "INSERT INTO tally"
    " VALUES ('H01', 1, 1, '', '2026-11-01', 1, 1, NULL, 5)",
}


class ListedLog:
    """A log in memory; `between` is called before each batch but the first."""

    def __init__(
        self,
        events: Sequence[DossierEvent],
        between: Callable[[], Awaitable[None]] | None = None,
        size: int = 4,
        name: str = "first",
    ) -> None:
        self._events = events
        self.between = between
        self._size = size
        self._name = name

    async def read_batches(self, bookmarks: Bookmarks) -> AsyncIterator[LogBatch]:
        first = 0
        if "0" in bookmarks:
            if bookmarks["0"]["digest"] != self._name:
                raise LogReplacedError
            first = bookmarks["0"]["offset"] + 1
        for start in range(first, len(self._events), self._size):
            if start > first and self.between:
                await self.between()
            batch = self._events[start : start + self._size]
            end = start + len(batch)
            reached: Bookmarks = {"0": {"offset": end - 1, "digest": self._name}}
            yield LogBatch(batch, reached, 0, len(self._events) - end)


async def snapshot(national: National) -> dict[str, list[str]]:
    async with national.sessions() as session:
        return {
            table: list(
                await session.scalars(
                    text(f"SELECT t::text FROM (SELECT {columns} FROM {table}) AS t ORDER BY 1")
                )
            )
            for table, columns in COLUMNS.items()
        }


async def execute(national: National, statement: str) -> None:
    async with national.sessions.begin() as session:
        await session.execute(text(statement))


def own_histories() -> list[DossierEvent]:
    """Return the events of dossiers that wait, ended, were withdrawn, and were reopened."""
    waits, returned, withdrawn, reopened = (new_code("H26.101") for _ in range(4))
    ended = {"finished_at": standing(returned, 3, 9)["at"]}
    return [
        filed(waits),
        filed(returned),
        moved(waits, 2, 4),
        moved(returned, 2, 4),
        moved(waits, 3, 5),
        moved(returned, 3, 9, **ended),
        filed(withdrawn, received_by="H41.101", decided_by="H41"),
        moved(returned, 4, 10, **ended),
        moved(withdrawn, 2, 7, received_by="H41.101", decided_by="H41"),
        filed(reopened),
        progressed(reopened, 2, "appraisal"),
        moved(reopened, 3, 9),
        moved(reopened, 4, 4),
    ]


async def push_histories(national: National) -> None:
    """Push dossiers with a request for papers, an end, and progress before its dossier."""
    waits, ended = row(), row(status=9, finished_at="2026-11-05T10:00:00+07:00")
    await national.push(waits, ended)
    late = {"source_time": "2026-11-04T09:00:00+07:00"}
    await national.progress({"code": waits["code"], "status": 5, "step": "", **late})
    held = {"code": new_code("H41.101"), "status": 9, "step": "", **late}
    await national.progress(held)
    unknown = {"code": new_code("H41.101"), "status": 5, "step": "", **late}
    await national.progress(unknown)
    await national.push(row(code=held["code"]))


@pytest.fixture
async def events(empty: National) -> list[DossierEvent]:
    await push_histories(empty)
    old = [filed(new_code("H26.101")) for _ in range(2)]
    made = own_histories()
    await empty.project(*old)
    for event in made:
        await empty.project(event)
    return made


async def rebuild(national: National, log: ListedLog) -> list[str]:
    lines: list[str] = []
    await Rebuild(national.sessions, "national_view", lines.append).run(log)
    return lines


async def test_rebuilt_view_equals_the_old_one(empty: National, events: list[DossierEvent]) -> None:
    before = await snapshot(empty)
    assert all(before.values())
    codes = {event.code for event in events}
    of_log = f"({', '.join(repr(code) for code in sorted(codes))})"
    for name, damage in DAMAGES.items():
        if "source = '/dossier_service'" in damage:
            await execute(empty, f"{damage} AND code IN {of_log}")
        else:
            await execute(empty, damage)
        assert name == "nothing" or await snapshot(empty) != before, name
        lines = await rebuild(empty, ListedLog(events))
        assert await snapshot(empty) == before, name
        assert lines[-1] == "national_view is rebuilt"
    assert await empty.scalar("SELECT count(*) FROM projection_rebuild") == 0


async def test_rebuild_goes_on_beside_the_worker(
    empty: National, events: list[DossierEvent]
) -> None:
    code, versions = events[0].code, iter(range(4, 100))

    async def handle_next() -> None:
        await empty.project(moved(code, next(versions), 4))

    await rebuild(empty, ListedLog(events, handle_next))
    after = await snapshot(empty)
    assert (await empty.read(code))["status"] == 4
    await rebuild(empty, ListedLog(events))
    assert await snapshot(empty) == after


async def interrupt_after_two_batches(national: National, events: Sequence[DossierEvent]) -> None:
    calls = 0

    async def interrupt() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuild(national, ListedLog(events, interrupt))


async def test_interrupted_rebuild_continues_with_the_next_batch(
    empty: National, events: list[DossierEvent]
) -> None:
    before = await snapshot(empty)
    await interrupt_after_two_batches(empty, events)
    lines = await rebuild(empty, ListedLog(events))
    assert lines[:2] == [
        "continues a rebuild in its stage events",
        f"events: 4 applied, 0 refused, {len(events) - 12} left",
    ]
    assert await snapshot(empty) == before


async def test_interrupted_rebuild_begins_anew_where_the_broker_was_refilled(
    empty: National, events: list[DossierEvent]
) -> None:
    """The refilled log has the events that were not applied before the interruption first."""
    before = await snapshot(empty)
    await interrupt_after_two_batches(empty, events)
    unread = events[-1].code
    await execute(empty, f"DELETE FROM national_dossier WHERE code = '{unread}'")
    refilled = sorted(events, key=lambda event: event.code != unread)
    lines = await rebuild(empty, ListedLog(refilled, name="second"))
    assert lines[:3] == [
        "continues a rebuild in its stage events",
        "the broker was replaced or refilled since the interruption: begins at the oldest event",
        f"events: 4 applied, 0 refused, {len(events) - 4} left",
    ]
    assert await snapshot(empty) == before


async def test_rebuild_that_an_earlier_release_began_reads_the_whole_log(
    empty: National, events: list[DossierEvent]
) -> None:
    begun = """('national_view', 7, 'events', '{"dossier.events.v1/0": 8}')"""
    await execute(empty, f"INSERT INTO projection_rebuild VALUES {begun}")
    before = await snapshot(empty)
    lines = await rebuild(empty, ListedLog(events))
    assert lines[1] == f"events: 4 applied, 0 refused, {len(events) - 4} left"
    assert await snapshot(empty) == before


class FailingSessions:
    """Sessions of which every second one loses its connection before the commit."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions
        self.opened = 0

    def __call__(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self._open(self._sessions())

    def begin(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self._open(self._sessions.begin())

    @asynccontextmanager
    async def _open(
        self, opened: AbstractAsyncContextManager[AsyncSession]
    ) -> AsyncIterator[AsyncSession]:
        self.opened += 1
        async with opened as session:
            yield session
            if self.opened % 2:
                raise ConnectionResetError


async def test_rebuild_waits_where_the_database_is_lost(
    empty: National, events: list[DossierEvent]
) -> None:
    before = await snapshot(empty)
    await execute(empty, DAMAGES["lost parties"])
    await execute(empty, DAMAGES["wrong counters"])
    sessions = FailingSessions(empty.sessions)
    lines: list[str] = []
    await Rebuild(cast("SessionFactory", sessions), "national_view", lines.append).run(
        ListedLog(events)
    )
    assert await snapshot(empty) == before
    batches = [line for line in lines if line.startswith("events: ")]
    assert len(batches) == 4
    assert sessions.opened > 2 * len(batches)


async def test_second_rebuild_at_the_same_time_is_refused(
    empty: National, events: list[DossierEvent]
) -> None:
    async def rebuild_too() -> None:
        await rebuild(empty, ListedLog(events))

    before = await snapshot(empty)
    with pytest.raises(RebuildInterfered):
        await rebuild(empty, ListedLog(events, rebuild_too))
    assert await snapshot(empty) == before


async def test_rebuild_that_stood_still_through_whole_others_is_refused(
    empty: National, events: list[DossierEvent]
) -> None:
    """The other has begun anew meanwhile, and has stored as many batches."""

    async def rebuild_and_begin_anew() -> None:
        log.between = None
        await rebuild(empty, ListedLog(events))
        with pytest.raises(InterruptedError):
            await rebuild(empty, ListedLog(events, interrupt))

    async def interrupt() -> None:
        raise InterruptedError

    log = ListedLog(events, rebuild_and_begin_anew)
    with pytest.raises(RebuildInterfered):
        await rebuild(empty, log)
