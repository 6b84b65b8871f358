"""A consumer on the axis itself: outages, and partitions that move on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.session import SessionFactory
from shared.events import DossierProgressed, Event
from shared.messaging.consumer import consume_topics
from shared.messaging.inbox import Handlers
from shared.messaging.kafka import open_consumer
from shared.settings import ServiceSettings
from tests.conftest import Databases
from tests.shared.event_flow import (
    DOSSIERS,
    HANDLERS,
    count_letters,
    handling,
    progressed,
    record,
    record_effect,
    running,
    versions_of,
)
from tests.support.event_keys import VERIFIER
from tests.support.unreadable_records import send_unreadable
from tests.support.waiting import PATIENCE_S, eventually


@asynccontextmanager
async def consuming(
    settings: ServiceSettings, sessions: SessionFactory, handlers: Handlers, group: str
) -> AsyncIterator[AIOKafkaConsumer]:
    async with (
        open_consumer(settings, [DOSSIERS], group) as consumer,
        running(consume_topics(sessions, consumer, handlers, VERIFIER, asyncio.Event())),
    ):
        yield consumer


async def send(producer: AIOKafkaProducer, *events: Event) -> None:
    """Straight to the axis, as another service would."""
    for event in events:
        sent = record(event)
        await producer.send_and_wait(DOSSIERS, sent.value, key=sent.key, headers=list(sent.headers))


async def make_keys(producer: AIOKafkaProducer, key: str) -> list[str]:
    """Keys, twenty at least, of which each partition has one."""
    partitions = sorted(await producer.partitions_for(DOSSIERS))
    choose = DefaultPartitioner()
    keys: list[str] = []
    reached: set[int] = set()
    while len(keys) < 20 or reached < set(partitions):
        keys.append(f"{key}-{len(keys)}")
        reached.add(choose(record(progressed(keys[-1])).key, partitions, partitions))
    return keys


@pytest.mark.broker
async def test_database_outage_is_waited_out(
    settings: ServiceSettings,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    postgres: Databases,
    key: str,
) -> None:
    under_way = asyncio.Event()

    async def handle(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        if any(event.code == key for event in events):
            under_way.set()
        await record_effect(session, events)

    async with consuming(settings, sessions, handling(handle), f"g-{key}"):
        await send(producer, progressed(key, 0))
        await eventually(lambda: handled(sessions, key, [0]))
        under_way.clear()
        await asyncio.to_thread(postgres.server.stop)
        try:
            await send(producer, *(progressed(key, n) for n in range(1, 10)))
        finally:
            await asyncio.to_thread(postgres.server.start)
        await eventually(lambda: handled(sessions, key, list(range(10))))
    assert await count_letters(sessions, [key]) == 0


async def handled(sessions: SessionFactory, key: str, versions: list[int]) -> bool:
    return await versions_of(sessions, key) == versions


@pytest.mark.broker
async def test_partition_lost_in_mid_batch_neither_stops_the_consumer_nor_repeats_effects(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    keys = await make_keys(producer, key)
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        await record_effect(session, events)
        if any(event.code in keys for event in events):
            entered.set()
            await go_on.wait()

    group = f"g-{key}"
    await send(producer, *(progressed(k, 1) for k in keys))
    async with consuming(settings, sessions, handling(slow), group) as first:
        await asyncio.wait_for(entered.wait(), PATIENCE_S)
        another = settings.model_copy(update={"worker_port": settings.worker_port + 1})
        async with consuming(another, sessions, HANDLERS, group) as second:
            await eventually(second.assignment)
            await eventually(lambda: not first.assignment() & second.assignment())
            go_on.set()
            for k in keys:
                await eventually(partial(handled, sessions, k, [1]))
        await send(producer, *(progressed(k, 2) for k in keys))
        for k in keys:
            await eventually(partial(handled, sessions, k, [1, 2]))
    assert await count_letters(sessions, keys) == 0


@pytest.mark.broker
@pytest.mark.parametrize("before", [0, 2], ids=["first", "behind others"])
async def test_record_that_cannot_be_decoded_is_skipped_and_counted(
    settings: ServiceSettings,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    key: str,
    before: int,
) -> None:
    """The events of its partition and of all others take effect, in order and once."""
    keys = await make_keys(producer, key)
    await send(producer, *(progressed(each, 1) for each in keys))
    counted = count_unproven()
    partitions = await producer.partitions_for(DOSSIERS)
    for partition in partitions:
        await send_unreadable(producer, DOSSIERS, partition, before=before)
    await send(producer, *(progressed(each, 2) for each in keys))
    async with consuming(settings, sessions, HANDLERS, f"g-{key}"):
        for each in keys:
            await eventually(partial(handled, sessions, each, [1, 2]))
    # More where another test left such records on the topic.
    skipped = count_unproven()
    assert skipped >= counted + len(partitions) * (before + 1)
    # The next consumer of the group begins behind them.
    async with consuming(settings, sessions, HANDLERS, f"g-{key}"):
        await send(producer, *(progressed(each, 3) for each in keys))
        for each in keys:
            await eventually(partial(handled, sessions, each, [1, 2, 3]))
    assert count_unproven() == skipped


def count_unproven() -> float:
    return REGISTRY.get_sample_value("events_unproven_total", {"topic": DOSSIERS}) or 0.0
