"""The relay goes on through every outage, and ends where it cannot."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, ProducerClosed
from sqlalchemy import text

from shared.database.session import SessionFactory
from shared.messaging.kafka import open_producer
from shared.messaging.relay import relay_outbox, replay_sent_events
from shared.settings import ServiceSettings
from tests.conftest import Broker, Databases
from tests.shared.event_flow import (
    SIGNER,
    Tail,
    announce,
    nothing_pending,
    pending,
    progressed,
    relay_all,
    relaying,
    tailing,
)
from tests.shared.wire import wire_to
from tests.support.waiting import PATIENCE_SECONDS, eventually


@pytest.mark.broker
async def test_relay_is_woken_by_the_commit(
    sessions: SessionFactory, relayed: Tail, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.POLL_SECONDS", 3_600)
    # The first may be found by the round that every relay begins with.
    await announce(sessions, progressed(key, 1))
    await eventually(lambda: relayed.has(key, 1))
    await eventually(lambda: nothing_pending(sessions))
    await announce(sessions, progressed(key, 2))
    await eventually(lambda: relayed.has(key, 2))


@pytest.mark.broker
async def test_message_that_no_broker_takes_ends_the_relay(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE outbox SET value = repeat('x', 2000000)::bytea"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(MessageSizeTooLargeError):
            await relay_all(sessions, producer)
    assert await pending(sessions) == 1


@pytest.mark.broker
async def test_producer_that_is_dead_ends_the_relay(
    sessions: SessionFactory, settings: ServiceSettings, key: str
) -> None:
    async with open_producer(settings) as producer:
        await announce(sessions, progressed(key))
        await relay_all(sessions, producer)
        await announce(sessions, progressed(key, 2))
        await producer.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(ProducerClosed):
                await relay_all(sessions, producer)


@pytest.mark.broker
async def test_listener_that_dies_for_good_ends_the_relay(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings
) -> None:
    nowhere = settings.database.set(database="no_such_database")
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(ExceptionGroup) as died:
            await relay_outbox(sessions, producer, SIGNER, nowhere, asyncio.Event())
    assert died.group_contains(asyncpg.InvalidCatalogNameError)


@pytest.mark.broker
async def test_listener_notices_a_half_open_connection(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.messaging.relay.HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr("shared.messaging.relay.HEARTBEAT_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("shared.messaging.relay.POLL_SECONDS", 3_600)
    async with wire_to(settings.database) as wire:
        through = settings.database.set(port=wire.port, host="127.0.0.1", query={})
        stopping = asyncio.Event()
        task = asyncio.create_task(relay_outbox(sessions, producer, SIGNER, through, stopping))
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
        await eventually(lambda: nothing_pending(sessions))
    if not kafka.keeps_data:
        assert await replay_sent_events(sessions, producer, SIGNER, since) == 40
    async with tailing(settings) as tail:
        await eventually(lambda: tail.has(key, 40))
        versions = await tail.versions(key)
    # A replay repeats what is already there: from the first on, all of it, in order.
    assert versions[-40:] == list(range(40))
    assert set(versions) == set(range(40))


@pytest.mark.broker
async def test_relay_goes_on_by_itself_after_a_database_restart(
    sessions: SessionFactory, relayed: Tail, postgres: Databases, key: str
) -> None:
    await announce(sessions, progressed(key, 1))
    await eventually(lambda: relayed.has(key, 1))
    await asyncio.to_thread(postgres.server.stop)
    await asyncio.to_thread(postgres.server.start)
    await eventually(lambda: announced(sessions, key))

    async def versions() -> set[int]:
        return set(await relayed.versions(key))

    # The stop may come between the sending and its commit: then it is sent again, in order.
    await eventually(lambda: holds(versions, {1, 2}))
    assert list(dict.fromkeys(await relayed.versions(key))) == [1, 2]


async def holds(read: Callable[[], Awaitable[set[int]]], wanted: set[int]) -> bool:
    return await read() == wanted


async def announced(sessions: SessionFactory, key: str) -> bool:
    """A request that meets a dead connection of the pool is refused; its caller asks again."""
    try:
        await announce(sessions, progressed(key, 2))
    except Exception as error:
        raise AssertionError(type(error).__name__) from error
    return True


@pytest.mark.broker
async def test_two_relays_neither_lose_nor_reorder(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    settings: ServiceSettings,
    relayed: Tail,
    key: str,
) -> None:
    async with relaying(sessions, producer, settings):
        for n in range(100):
            await announce(sessions, progressed(key, n))
        await eventually(lambda: relayed.has(key, 100))
        await eventually(lambda: nothing_pending(sessions))
        assert await relayed.versions(key) == list(range(100))


async def test_second_relay_leaves_the_batch_to_the_first(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as first:
        await first.execute(text("SELECT pg_advisory_xact_lock(7001)"))
        assert await relay_all(sessions, producer) == 0
    assert await relay_all(sessions, producer) == 1
