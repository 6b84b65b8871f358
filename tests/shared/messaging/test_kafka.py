"""What is used of aiokafka beyond what it promises, and what is read in spite of it."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.messaging.kafka import open_consumer
from shared.settings import ServiceSettings
from tests.shared.event_flow import (
    DOSSIERS,
    READ_SECONDS,
    progressed,
    record,
    tailing,
)
from tests.support.unreadable_records import send_unreadable
from tests.support.waiting import eventually


@pytest.mark.broker
async def test_a_members_place_is_where_open_consumer_gives_it_up(
    settings: ServiceSettings, key: str
) -> None:
    async with open_consumer(settings, [DOSSIERS], f"g-{key}") as consumer:
        place = getattr(consumer._coordinator, "_group_instance_id", None)
    assert place, "this aiokafka keeps the place elsewhere: a worker that ends would keep it too"
    assert consumer._coordinator._group_instance_id is None


@pytest.mark.broker
async def test_reader_of_a_slow_broker_gets_past_a_record_that_cannot_be_decoded(
    settings: ServiceSettings, producer: AIOKafkaProducer, key: str
) -> None:
    """Each answer of the broker takes longer than the reader waits."""
    event = record(progressed(key))
    sent = await producer.send_and_wait(
        DOSSIERS, event.value, key=event.key, headers=list(event.headers)
    )
    await send_unreadable(producer, DOSSIERS, sent.partition)
    await producer.send_and_wait(DOSSIERS, event.value, key=event.key, headers=list(event.headers))
    async with tailing(settings) as tail:
        answer_late(tail.consumer, 2 * READ_SECONDS)
        await eventually(lambda: tail.has(key, 2))


def answer_late(consumer: AIOKafkaConsumer, seconds: float) -> None:
    client: Any = consumer._client
    send = client.send

    async def send_and_wait_longer(*arguments: object, **options: object) -> object:
        answer = await send(*arguments, **options)
        await asyncio.sleep(seconds)
        return answer

    client.send = send_and_wait_longer
