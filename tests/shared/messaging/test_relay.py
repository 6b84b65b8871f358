"""The relay goes on through every outage, and ends where it cannot."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import cast

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, ProducerClosed
from prometheus_client import REGISTRY
from sqlalchemy import text
from structlog.testing import capture_logs

from shared.database.session import SessionFactory
from shared.events import DEAD
from shared.messaging.kafka import MAX_SENT_BYTES, open_producer
from shared.messaging.redelivery import redeliver_batch
from shared.messaging.relay import relay_outbox, replay_sent_events
from shared.runtime.operator_routes import list_dead_letters, replay_dead_letter
from shared.settings import ServiceSettings
from tests.conftest import Broker, Databases
from tests.shared.event_flow import (
    DOSSIERS,
    HANDLERS,
    SIGNER,
    Tail,
    announce,
    nothing_pending,
    pending,
    progressed,
    relay_all,
    relaying,
    scalar,
    tailing,
)
from tests.shared.wire import wire_to
from tests.support.event_keys import VERIFIER
from tests.support.waiting import PATIENCE_S, eventually


@pytest.mark.broker
async def test_relay_is_woken_by_the_commit(
    sessions: SessionFactory, relayed: Tail, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.POLL_S", 3_600)
    # The first may be found by the round that every relay begins with.
    await announce(sessions, progressed(key, 1))
    await eventually(lambda: relayed.has(key, 1))
    await eventually(lambda: nothing_pending(sessions))
    await announce(sessions, progressed(key, 2))
    await eventually(lambda: relayed.has(key, 2))


@pytest.mark.broker
async def test_event_that_is_too_large_for_the_broker_is_set_aside_and_holds_up_no_other(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    refused_before = count_refused(DOSSIERS)
    await announce(sessions, *(progressed(key, version) for version in (1, 2, 3)))
    await enlarge_second_row(sessions)
    async with asyncio.timeout(PATIENCE_S):
        with capture_logs() as lines:
            await relay_all(sessions, producer)
    assert await nothing_pending(sessions)
    async with tailing(settings) as tail:
        await eventually(lambda: tail.has(key, 2))
        assert dict.fromkeys(await tail.versions(key)) == dict.fromkeys([1, 3])
    async with sessions() as session:
        (letter,) = await list_dead_letters(session, "open")
    assert (letter.key, letter.reason) == (key, "MessageSizeTooLargeError in relay_batch")
    assert await scalar(sessions, "SELECT length(value) FROM dead_letter") == 2_000_000
    assert count_refused(DOSSIERS) == refused_before + 1
    assert [line["log_level"] for line in lines] == ["error"]
    # An operator who replays it asks the broker again.
    async with sessions.begin() as session:
        await replay_dead_letter(session, letter.id)
    assert await redeliver_batch(sessions, HANDLERS, VERIFIER) == 1
    assert await pending(sessions) == 1
    await relay_all(sessions, producer)
    assert await nothing_pending(sessions)
    assert await scalar(sessions, "SELECT state FROM dead_letter") == "open"


@pytest.mark.broker
async def test_copy_of_a_dead_letter_that_is_too_large_for_the_broker_is_dropped(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, *(progressed(key, version) for version in (1, 2, 3)))
    await enlarge_second_row(sessions, topic=DOSSIERS + DEAD)
    await relay_all(sessions, producer)
    assert await nothing_pending(sessions)
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 0
    assert await scalar(sessions, "SELECT count(*) FROM outbox_sent") == 2


async def test_event_that_the_broker_itself_refuses_is_told_from_those_of_its_request(
    sessions: SessionFactory, key: str
) -> None:
    await announce(sessions, *(progressed(key, version) for version in (1, 2, 3)))
    await enlarge_second_row(sessions)
    producer = RefusedRequests()
    await relay_all(sessions, cast("AIOKafkaProducer", producer))
    assert await nothing_pending(sessions)
    assert producer.taken == 2
    assert await scalar(sessions, "SELECT length(value) FROM dead_letter") == 2_000_000


class RefusedRequests:
    """A producer whose broker refuses each request that has a large message among its first 3."""

    def __init__(self) -> None:
        self.sent = 0
        self.taken = 0

    async def send(self, _: str, value: bytes, **__: object) -> Awaitable[None]:
        outcome = asyncio.get_running_loop().create_future()
        self.sent += 1
        if self.sent <= 3 or len(value) > MAX_SENT_BYTES:
            outcome.set_exception(MessageSizeTooLargeError())
        else:
            outcome.set_result(None)
            self.taken += 1
        return outcome


async def enlarge_second_row(sessions: SessionFactory, topic: str = DOSSIERS) -> None:
    """Make the second row larger than a broker takes, as no way of the services does."""
    query = text(
        "UPDATE outbox SET value = repeat('x', 2000000)::bytea, topic = :topic"
        " WHERE position = (SELECT min(position) + 1 FROM outbox)"
    )
    async with sessions.begin() as session:
        await session.execute(query, {"topic": topic})


def count_refused(topic: str) -> float:
    return REGISTRY.get_sample_value("outbox_events_refused_total", {"topic": topic}) or 0.0


@pytest.mark.broker
async def test_producer_that_is_dead_ends_the_relay(
    sessions: SessionFactory, settings: ServiceSettings, key: str
) -> None:
    async with open_producer(settings) as producer:
        await announce(sessions, progressed(key))
        await relay_all(sessions, producer)
        await announce(sessions, progressed(key, 2))
        await producer.stop()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ProducerClosed):
                await relay_all(sessions, producer)


@pytest.mark.broker
async def test_listener_that_dies_for_good_ends_the_relay(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings
) -> None:
    nowhere = settings.database.set(database="no_such_database")
    async with asyncio.timeout(PATIENCE_S):
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
    monkeypatch.setattr("shared.messaging.worker_notifier.HEARTBEAT_S", 0.1)
    monkeypatch.setattr("shared.messaging.worker_notifier.HEARTBEAT_ANSWER_S", 0.2)
    monkeypatch.setattr("shared.messaging.relay.POLL_S", 3_600)
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
