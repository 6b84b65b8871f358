"""Who commits wakes the relay, and waits for nobody."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text

from shared.database.engine import open_database, render_driver_url
from shared.database.session import SessionFactory
from shared.messaging.worker_notifier import OUTBOX, WorkerNotifier
from shared.settings import ServiceSettings
from tests.shared.event_flow import Tail, announce, nothing_pending, pending, progressed, scalar
from tests.shared.wire import wire_to
from tests.support.waiting import PATIENCE_S, eventually

RUNG = "SELECT count(*) FROM pg_stat_activity WHERE query = 'NOTIFY outbox' AND state = 'idle'"
LEFT = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE query = 'NOTIFY outbox' AND datname = current_database()"
)


@pytest.fixture
def without_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay does not look by itself within any test's time: it has to be woken."""
    monkeypatch.setattr("shared.messaging.relay.POLL_S", 3_600)


@pytest.mark.broker
@pytest.mark.usefixtures("without_rounds")
async def test_process_that_ends_after_its_commit_has_woken_the_relay(
    sessions: SessionFactory, settings: ServiceSettings, relayed: Tail, key: str
) -> None:
    await announce(sessions, progressed(key, 1))
    await eventually(lambda: relayed.has(key, 1))
    async with open_database(settings) as command:
        await announce(command, progressed(key, 2))
    await eventually(lambda: relayed.has(key, 2))


async def test_commits_close_together_share_what_wakes_the_relay(
    settings: ServiceSettings, sessions: SessionFactory, key: str
) -> None:
    heard: list[str] = []
    plain = render_driver_url(settings.database)
    listener = await asyncpg.connect(plain)
    try:
        await listener.add_listener("outbox", lambda *_: heard.append(key))
        async with open_database(settings) as command:
            await asyncio.gather(*(announce(command, progressed(key, n)) for n in range(60)))
        await listener.execute("SELECT 1")
    finally:
        await listener.close()
    assert await pending(sessions) == 60
    assert 1 <= len(heard) < 30


@pytest.mark.broker
@pytest.mark.usefixtures("without_rounds")
async def test_commit_after_the_bell_was_lost_wakes_the_relay(
    sessions: SessionFactory, relayed: Tail, key: str
) -> None:
    await announce(sessions, progressed(key, 1))
    await eventually(lambda: relayed.has(key, 1))
    # Services of other tests may run on the same server.
    ended = (
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE query = 'NOTIFY outbox' AND datname = current_database()"
    )
    assert await scalar(sessions, ended) == 1
    await announce(sessions, progressed(key, 2))
    await eventually(lambda: relayed.has(key, 2))


async def test_process_ends_though_nobody_answers_its_bell(
    sessions: SessionFactory, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.worker_notifier.ANSWER_S", 0.2)
    async with wire_to(settings.database) as wire:
        notifier = WorkerNotifier(settings.database.set(port=wire.port, host="127.0.0.1", query={}))
        notifier.notify(OUTBOX)
        await eventually(lambda: scalar(sessions, RUNG))
        wire.silent = True
        async with asyncio.timeout(PATIENCE_S):
            await notifier.close()


class UnforeseenError(Exception):
    """An error of none of the classes that the driver names."""


async def test_unforeseen_error_neither_stops_later_wakes_nor_the_end(
    settings: ServiceSettings, sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [UnforeseenError()]
    execute = asyncpg.Connection.execute

    async def fail_once(connection: asyncpg.Connection, query: str) -> str:
        if failures:
            raise failures.pop()
        answer: str = await execute(connection, query)
        return answer

    monkeypatch.setattr(asyncpg.Connection, "execute", fail_once)
    notifier = WorkerNotifier(settings.database)
    notifier.notify(OUTBOX)
    await eventually(lambda: not failures)
    notifier.notify(OUTBOX)
    await eventually(lambda: scalar(sessions, RUNG))
    failures.append(UnforeseenError())
    notifier.notify(OUTBOX)
    await notifier.close()
    assert not failures
    await eventually(lambda: scalar(sessions, f"SELECT ({LEFT}) = 0"))


async def test_connection_ends_where_the_end_is_cancelled(
    settings: ServiceSettings, sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifier = WorkerNotifier(settings.database)
    notifier.notify(OUTBOX)
    await eventually(lambda: scalar(sessions, RUNG))
    monkeypatch.setattr("shared.messaging.worker_notifier.MIN_INTERVAL_S", 3_600)
    notifier.notify(OUTBOX)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await notifier.close()
    await eventually(lambda: scalar(sessions, f"SELECT ({LEFT}) = 0"))


@pytest.mark.broker
async def test_commit_whose_process_died_before_it_woke_anybody_is_found_all_the_same(
    sessions: SessionFactory, relayed: Tail, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.POLL_S", 0.2)
    await announce(sessions, progressed(key, 1))
    await eventually(lambda: relayed.has(key, 1))
    await eventually(lambda: nothing_pending(sessions))
    # What a copy of the row leaves behind is a commit that nobody was told of.
    async with sessions.begin() as session:
        columns = "topic, key, value, headers"
        copy = f"SELECT gen_random_uuid(), now(), {columns} FROM outbox_sent"
        await session.execute(text(f"INSERT INTO outbox (id, at, {columns}) {copy}"))
    await eventually(lambda: relayed.has(key, 2))
