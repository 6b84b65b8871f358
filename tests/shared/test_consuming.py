"""A consumer on the axis itself: outages, and partitions that move on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncSession

from shared.consumer import Handlers, consume
from shared.database import SessionFactory
from shared.events import DossierProgressed, Event
from shared.kafka import open_consumer
from shared.settings import ServiceSettings
from tests.conftest import Databases
from tests.event_keys import VERIFIER
from tests.shared.mechanics import (
    DOSSIERS,
    HANDLERS,
    progressed,
    record,
    record_effect,
    running,
    scalar,
    versions_of,
)
from tests.waiting import PATIENCE_SECONDS, eventually


@asynccontextmanager
async def consuming(
    settings: ServiceSettings, sessions: SessionFactory, handlers: Handlers, group: str
) -> AsyncIterator[AIOKafkaConsumer]:
    async with (
        open_consumer(settings, [DOSSIERS], group) as consumer,
        running(consume(sessions, consumer, handlers, VERIFIER, asyncio.Event())),
    ):
        yield consumer


async def send(producer: AIOKafkaProducer, *events: Event) -> None:
    """Straight to the axis, as another service would."""
    for event in events:
        sent = record(event)
        await producer.send_and_wait(DOSSIERS, sent.value, key=sent.key, headers=list(sent.headers))


@pytest.mark.broker
async def test_database_outage_is_waited_out(
    settings: ServiceSettings,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    postgres: Databases,
    key: str,
) -> None:
    handling = asyncio.Event()

    async def handle(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        if any(event.code == key for event in events):
            handling.set()
        await record_effect(session, events)

    async with consuming(settings, sessions, {DossierProgressed: [handle]}, f"g-{key}"):
        await send(producer, progressed(key, 0))
        await eventually(lambda: handled(sessions, key, [0]))
        handling.clear()
        await asyncio.to_thread(postgres.server.stop)
        try:
            await send(producer, *(progressed(key, n) for n in range(1, 10)))
        finally:
            await asyncio.to_thread(postgres.server.start)
        await eventually(lambda: handled(sessions, key, list(range(10))))
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 0


async def handled(sessions: SessionFactory, key: str, versions: list[int]) -> bool:
    return await versions_of(sessions, key) == versions


@pytest.mark.broker
async def test_partition_lost_in_mid_batch_neither_stops_the_consumer_nor_repeats_effects(
    settings: ServiceSettings, sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    keys = [f"{key}-{n}" for n in range(20)]  # of every partition
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
        await record_effect(session, events)
        if any(event.code in keys for event in events):
            entered.set()
            await go_on.wait()

    group = f"g-{key}"
    await send(producer, *(progressed(k, 1) for k in keys))
    async with consuming(settings, sessions, {DossierProgressed: [slow]}, group) as first:
        await asyncio.wait_for(entered.wait(), PATIENCE_SECONDS)
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
    assert await scalar(sessions, "SELECT count(*) FROM dead_letter") == 0
