"""What is used of aiokafka beyond what it promises, and what is read in spite of it."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from shared.messaging.kafka import open_consumer, read_records
from shared.settings import ServiceSettings
from tests.shared.event_flow import (
    DOSSIERS,
    READ_S,
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
        answer_late(tail.consumer, 2 * READ_S)
        await eventually(lambda: tail.has(key, 2))


def answer_late(consumer: AIOKafkaConsumer, seconds: float) -> None:
    client: Any = consumer._client
    send = client.send

    async def send_and_wait_longer(*arguments: object, **options: object) -> object:
        answer = await send(*arguments, **options)
        await asyncio.sleep(seconds)
        return answer

    client.send = send_and_wait_longer


BUSY, LATE = TopicPartition(DOSSIERS, 0), TopicPartition(DOSSIERS, 1)
UNREADABLE_OFFSET = 1
END_OF_LATE = 3


class LateLeader:
    """A consumer of two brokers: one has always a record, the other answers after three waits.

    The record of the late one that cannot be decoded lies between two that can be.
    """

    def __init__(self) -> None:
        self.offsets = {BUSY: 0, LATE: 0}
        self.waits = 3

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.offsets)

    async def position(self, partition: TopicPartition) -> int:
        return self.offsets[partition]

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.offsets[partition] = offset
        if partition == LATE:
            # What was under way is of another offset.
            self.waits = 3

    async def getmany(
        self,
        *partitions: TopicPartition,
        timeout_ms: int,  # noqa: ARG002 -- the library is called so
        max_records: int,
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        records = self._read_late(max_records) if LATE in partitions else {}
        if BUSY in partitions:
            records[BUSY] = [self._take(BUSY)]
        return records

    def _read_late(self, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.waits -= 1
        if self.waits > 0 or self.offsets[LATE] == END_OF_LATE:
            return {}
        start = self.offsets[LATE]
        if start <= UNREADABLE_OFFSET < start + max_records:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return {LATE: [self._take(LATE)]}

    def _take(self, partition: TopicPartition) -> ConsumerRecord:
        offset = self.offsets[partition]
        self.offsets[partition] += 1
        return record(progressed("H26.1"), offset)


async def test_busy_broker_does_not_hide_the_unreadable_record_of_a_late_one() -> None:
    consumer = LateLeader()
    good: list[int] = []
    unreadable: list[int] = []
    busy: list[int] = []
    for _ in range(20):
        batch = await read_records(cast("Any", consumer), timeout_ms=1, max_records=10)
        good += [record.offset for record in batch.records.get(LATE, ())]
        unreadable += batch.unreadable.get(LATE, ())
        busy += [record.offset for record in batch.records.get(BUSY, ())]
    assert (good, unreadable) == ([0, 2], [1])
    assert busy == list(range(len(busy)))
