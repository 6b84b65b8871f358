"""What is committed is sent, once it can be, in order; what is not committed never is."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, ProducerClosed
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from sqlalchemy import URL, text

from shared.bell import Bell
from shared.database import SessionFactory, open_database
from shared.events import DossierProgressed
from shared.kafka import MAX_MESSAGE_BYTES, open_producer
from shared.outbox import (
    BATCH_SIZE,
    POLL_SECONDS,
    EventTooLarge,
    emit,
    measure_outbox,
    relay,
    relay_batch,
    replay,
)
from shared.settings import ServiceSettings
from shared.telemetry import OUTBOX_AGE, OUTBOX_PENDING, start_trace
from tests.conftest import Broker, Databases
from tests.shared.mechanics import Tail, agency, announce, progressed, scalar, tailing
from tests.waiting import eventually

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RUNG = "SELECT count(*) FROM pg_stat_activity WHERE query = 'NOTIFY outbox' AND state = 'idle'"


@asynccontextmanager
async def relaying(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings
) -> AsyncIterator[None]:
    task = asyncio.create_task(relay(sessions, producer, settings.database, asyncio.Event()))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def pending(sessions: SessionFactory) -> int:
    count: int = await scalar(sessions, "SELECT count(*) FROM outbox")
    return count


async def test_rolled_back_change_emits_nothing(sessions: SessionFactory, key: str) -> None:
    async with sessions() as session, session.begin() as transaction:
        emit(session, progressed(key))
        await session.flush()
        await transaction.rollback()
    assert await pending(sessions) == 0


async def test_too_large_event_is_refused_where_it_is_emitted(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(EventTooLarge, match=r"^dossier\.progressed\.v1 of \d+ bytes$"):
        await announce(sessions, progressed(key, step="x" * MAX_MESSAGE_BYTES))
    assert await pending(sessions) == 0


@pytest.mark.broker
async def test_event_arrives_as_a_cloud_event_with_its_trace(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    key: str,
) -> None:
    start_trace(TRACE)
    await announce(sessions, progressed(key, 7))
    assert await relay_batch(sessions, producer) == 1
    async with tailing(settings) as tail:
        record = (await eventually(lambda: tail.of(key)))[0]
    message = KafkaMessage(dict(record.headers), record.key, record.value)
    event = from_binary(message, JSONFormat())
    assert event.get_type() == "dossier.progressed.v1"
    assert event.get_source() == "/dossier_service"
    assert event.get_extension("partitionkey") == key
    assert event.get_extension("traceparent") == TRACE
    assert DossierProgressed.model_validate(event.get_data()).version == 7
    sent_at = event.get_time()
    assert sent_at
    assert timedelta() <= datetime.now(UTC) - sent_at < timedelta(minutes=1)


@pytest.mark.broker
async def test_largest_event_passes(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    spare = MAX_MESSAGE_BYTES - len(progressed(key, step="").model_dump_json())
    await announce(sessions, progressed(key, step="x" * spare))
    async with asyncio.timeout(5):
        assert await relay_batch(sessions, producer) == 1
    async with tailing(settings) as tail:
        assert len((await eventually(lambda: tail.of(key)))[0].value) == MAX_MESSAGE_BYTES


@pytest.mark.broker
async def test_one_keys_order_holds_over_batches_and_sent_rows_are_kept(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    count = BATCH_SIZE + 500
    for first in range(0, count, 250):
        await announce(sessions, *(progressed(key, first + n) for n in range(250)))
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        await eventually(lambda: arrived(tail, key, count))
        assert await tail.versions(key) == list(range(count))
        await eventually(lambda: nothing_pending(sessions))
    assert await scalar(sessions, "SELECT count(*) FROM outbox_sent") == count


async def arrived(tail: Tail, key: str, count: int) -> bool:
    return len(await tail.of(key)) >= count


async def nothing_pending(sessions: SessionFactory) -> bool:
    return await pending(sessions) == 0


@pytest.mark.broker
async def test_relay_is_woken_by_the_commit(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        # The first may be found by the round that every relay begins with.
        await announce(sessions, progressed(key, 1))
        await eventually(lambda: arrived(tail, key, 1))
        await eventually(lambda: nothing_pending(sessions))
        committed = time.monotonic()
        await announce(sessions, progressed(key, 2))
        await eventually(lambda: arrived(tail, key, 2))
        assert time.monotonic() - committed < POLL_SECONDS / 3


@pytest.mark.broker
async def test_process_that_ends_after_its_commit_has_woken_the_relay(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.outbox.POLL_SECONDS", 3_600)
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        await announce(sessions, progressed(key, 1))
        await eventually(lambda: arrived(tail, key, 1))
        async with open_database(settings) as command:
            await announce(command, progressed(key, 2))
        await eventually(lambda: arrived(tail, key, 2))


async def test_commits_close_together_share_what_wakes_the_relay(
    settings: ServiceSettings, sessions: SessionFactory, key: str
) -> None:
    heard: list[str] = []
    plain = settings.database.set(drivername="postgresql").render_as_string(hide_password=False)
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
async def test_commit_after_the_bell_was_lost_wakes_the_relay(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.outbox.POLL_SECONDS", 3_600)
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        await announce(sessions, progressed(key, 1))
        await eventually(lambda: arrived(tail, key, 1))
        ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE query = "
        assert await scalar(sessions, ended + "'NOTIFY outbox'") == 1
        await announce(sessions, progressed(key, 2))
        await eventually(lambda: arrived(tail, key, 2))


async def test_process_ends_though_nobody_answers_its_bell(
    sessions: SessionFactory, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bell.ANSWER_SECONDS", 0.2)
    async with wire_to(settings.database) as wire:
        bell = Bell(settings.database.set(port=wire.port, host="127.0.0.1", query={}))
        bell.ring()
        await eventually(lambda: scalar(sessions, RUNG))
        wire.silent = True
        async with asyncio.timeout(5):
            await bell.close()


@pytest.mark.broker
async def test_commit_whose_process_died_before_it_woke_anybody_is_found_all_the_same(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.outbox.POLL_SECONDS", 0.2)
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        await announce(sessions, progressed(key, 1))
        await eventually(lambda: arrived(tail, key, 1))
        await eventually(lambda: nothing_pending(sessions))
        # What a copy of the row leaves behind is a commit that nobody was told of.
        async with sessions.begin() as session:
            columns = "topic, key, value, headers"
            copy = f"SELECT gen_random_uuid(), now(), {columns} FROM outbox_sent"
            await session.execute(text(f"INSERT INTO outbox (id, at, {columns}) {copy}"))
        await eventually(lambda: arrived(tail, key, 2))


@pytest.mark.broker
async def test_message_that_no_broker_takes_ends_the_relay(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE outbox SET value = repeat('x', 2000000)::bytea"))
    async with asyncio.timeout(5):
        with pytest.raises(MessageSizeTooLargeError):
            await relay_batch(sessions, producer)
    assert await pending(sessions) == 1


@pytest.mark.broker
async def test_producer_that_is_dead_ends_the_relay(
    sessions: SessionFactory, settings: ServiceSettings, key: str
) -> None:
    async with open_producer(settings) as producer:
        await announce(sessions, progressed(key))
        await relay_batch(sessions, producer)
        await announce(sessions, progressed(key, 2))
        await producer.stop()
        async with asyncio.timeout(5):
            with pytest.raises(ProducerClosed):
                await relay_batch(sessions, producer)


@pytest.mark.broker
async def test_listener_that_dies_for_good_ends_the_relay(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings
) -> None:
    nowhere = settings.database.set(database="no_such_database")
    async with asyncio.timeout(5):
        with pytest.raises(ExceptionGroup) as died:
            await relay(sessions, producer, nowhere, asyncio.Event())
    assert died.group_contains(asyncpg.InvalidCatalogNameError)


@pytest.mark.broker
async def test_listener_notices_a_half_open_connection(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.outbox.HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr("shared.outbox.HEARTBEAT_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("shared.outbox.POLL_SECONDS", 3_600)
    async with wire_to(settings.database) as wire:
        through = settings.database.set(port=wire.port, host="127.0.0.1", query={})
        stopping = asyncio.Event()
        task = asyncio.create_task(relay(sessions, producer, through, stopping))
        await announce(sessions, progressed(key, 1))
        await eventually(lambda: nothing_pending(sessions))
        connections = wire.connections
        wire.silent = True
        await eventually(lambda: wire.connections > connections)
        wire.silent = False
        await announce(sessions, progressed(key, 2))
        await eventually(lambda: nothing_pending(sessions))
        stopping.set()
        await task


class Wire:
    """To the database and back; `silent` swallows what is said on it, and ends nothing."""

    def __init__(self, url: URL) -> None:
        self.port, self.connections, self.silent = 0, 0, False
        self._url = url

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there = await asyncio.open_unix_connection(f"{self._url.query['host']}/.s.PGSQL.5432")
        with suppress(OSError):
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65_536):
            if not self.silent:
                writer.write(said)
        writer.close()


@asynccontextmanager
async def wire_to(url: URL) -> AsyncIterator[Wire]:
    wire = Wire(url)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()


@pytest.mark.broker
async def test_broker_outage_accepts_writes_and_loses_none(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    kafka: Broker,
    key: str,
) -> None:
    since = datetime.now(UTC)
    async with relaying(sessions, producer, settings):
        await announce(sessions, *(progressed(key, n) for n in range(10)))
        await eventually(lambda: nothing_pending(sessions))
        await asyncio.to_thread(kafka.stop)
        try:
            for first in range(10, 40, 10):
                await announce(sessions, *(progressed(key, first + n) for n in range(10)))
            assert await pending(sessions) == 30
        finally:
            await asyncio.to_thread(kafka.start)
        await eventually(lambda: nothing_pending(sessions), within=30)
    if not kafka.keeps_data:
        assert await replay(sessions, producer, since) == 40
    async with tailing(settings) as tail:
        await eventually(lambda: arrived(tail, key, 40))
        versions = await tail.versions(key)
    # A replay repeats what is already there: from the first on, all of it, in order.
    assert versions[-40:] == list(range(40))
    assert set(versions) == set(range(40))


@pytest.mark.broker
async def test_relay_goes_on_by_itself_after_a_database_restart(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    postgres: Databases,
    key: str,
) -> None:
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        await announce(sessions, progressed(key, 1))
        await eventually(lambda: arrived(tail, key, 1))
        await asyncio.to_thread(postgres.server.stop)
        await asyncio.to_thread(postgres.server.start)
        await eventually(lambda: announced(sessions, key))
        await eventually(lambda: arrived(tail, key, 2))
        # The stop may come between the sending and its commit: then it is sent again, in order.
        assert list(dict.fromkeys(await tail.versions(key))) == [1, 2]


async def announced(sessions: SessionFactory, key: str) -> bool:
    """A request that meets a dead connection of the pool is refused; its caller asks again."""
    try:
        await announce(sessions, progressed(key, 2))
    except Exception as error:
        raise AssertionError(type(error).__name__) from error
    return True


@pytest.mark.broker
async def test_two_relays_neither_lose_nor_reorder(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    async with (
        relaying(sessions, producer, settings),
        relaying(sessions, producer, settings),
        tailing(settings) as tail,
    ):
        for n in range(100):
            await announce(sessions, progressed(key, n))
        await eventually(lambda: arrived(tail, key, 100))
        await eventually(lambda: nothing_pending(sessions))
        assert await tail.versions(key) == list(range(100))


async def test_second_relay_leaves_the_batch_to_the_first(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as first:
        await first.execute(text("SELECT pg_advisory_xact_lock(7001)"))
        assert await relay_batch(sessions, producer) == 0
    assert await relay_batch(sessions, producer) == 1


@pytest.mark.broker
async def test_row_that_waited_for_days_can_still_be_sent(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE outbox SET at = now() - interval '20 days'"))
    assert await relay_batch(sessions, producer) == 1
    assert await pending(sessions) == 0


@pytest.mark.broker
async def test_replay_sends_again_only_what_was_sent_since(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    await announce(sessions, progressed(key, 1))
    await relay_batch(sessions, producer)
    between = datetime.now(UTC)
    await announce(sessions, progressed(key, 2), progressed(key, 3))
    await relay_batch(sessions, producer)
    assert await replay(sessions, producer, between) == 2
    async with tailing(settings) as tail:
        await eventually(lambda: arrived(tail, key, 5))
        records = await tail.of(key)
        assert await tail.versions(key) == [1, 2, 3, 2, 3]
    ids = [dict(record.headers)["ce_id"] for record in records]
    assert ids[1:3] == ids[3:5]


async def test_age_and_number_of_the_waiting_events_are_measured(
    sessions: SessionFactory, key: str
) -> None:
    await announce(sessions, progressed(key), agency(f"H26.{uuid4().hex}"))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE outbox SET at = now() - interval '90 seconds'"))
        await measure_outbox(session)
    assert OUTBOX_PENDING._value.get() == 2
    assert 90 <= OUTBOX_AGE._value.get() < 120
