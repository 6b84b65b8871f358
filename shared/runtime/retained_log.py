"""Read the events that the broker still retains, without a consumer group and its offsets."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.events import Event, UnknownEventError, parse_event
from shared.messaging.event_proofs import EventUnprovenError, EventVerifier
from shared.messaging.kafka import connection_options, read_records, retry_during_broker_outage
from shared.messaging.topics import list_partitions
from shared.settings import BrokerSettings

BATCH_SIZE = 500
WAIT_MS = 1_000

# The next offset to read of each partition, which is written `topic/number`.
Offsets = Mapping[str, int]


@dataclass(frozen=True)
class LogBatch:
    """Events in the order of their partitions, and the offsets that follow them.

    `skipped` counts messages without a valid proof or a known form; `remaining` counts the messages
    that follow up to the end of the log at the beginning of the read.
    """

    events: Sequence[Event]
    offsets: Offsets
    skipped: int
    remaining: int


class RetainedLog(Protocol):
    """A log that can be read again from any offset."""

    def read_batches(self, offsets: Offsets) -> AsyncIterator[LogBatch]:
        """Yield the events from these offsets, or the oldest, up to the present end of the log."""
        ...


class BrokerLog:
    """The retained messages of some topics, as far as their owners prove them."""

    def __init__(
        self, settings: BrokerSettings, topics: Sequence[str], verifier: EventVerifier
    ) -> None:
        self._settings = settings
        self._partitions = {
            _name_partition(partition): partition for partition in list_partitions(topics)
        }
        self._verifier = verifier

    async def read_batches(self, offsets: Offsets) -> AsyncIterator[LogBatch]:
        """Yield the events from these offsets, or the oldest, up to the present end of the log."""
        consumer = AIOKafkaConsumer(
            **connection_options(self._settings),
            enable_auto_commit=False,
            group_id=None,
            # Retention may delete messages during the read, which then goes on at the oldest left.
            auto_offset_reset="earliest",
        )
        await retry_during_broker_outage(consumer.start)()
        try:
            consumer.assign(list(self._partitions.values()))
            following, ends = await self._seek(consumer, offsets)
            while any(following[name] < end for name, end in ends.items()):
                batch = await read_records(consumer, timeout_ms=WAIT_MS, max_records=BATCH_SIZE)
                for name, partition in self._partitions.items():
                    # Not from the records, because a partition may have lost all that were left.
                    following[name] = await consumer.position(partition)
                if not batch.following:
                    ends = await self._lower_ends(consumer, ends)
                records = [record for of_one in batch.records.values() for record in of_one]
                events = await self._read_events(records)
                skipped = len(records) - len(events) + sum(map(len, batch.unreadable.values()))
                remaining = sum(max(0, end - following[name]) for name, end in ends.items())
                yield LogBatch(events, dict(following), skipped, remaining)
        finally:
            await consumer.stop()

    async def _seek(
        self, consumer: AIOKafkaConsumer, offsets: Offsets
    ) -> tuple[dict[str, int], Mapping[str, int]]:
        """Place the consumer; return the offsets of the next messages, and those of the ends."""
        partitions = self._partitions.values()
        begins = await retry_during_broker_outage(consumer.beginning_offsets)(partitions)
        ends = await retry_during_broker_outage(consumer.end_offsets)(partitions)
        following: dict[str, int] = {}
        for name, partition in self._partitions.items():
            # Retention may have deleted messages, or the broker may have come back empty.
            offset = max(offsets.get(name, 0), begins[partition])
            following[name] = min(offset, ends[partition])
            consumer.seek(partition, following[name])
        return following, {name: ends[partition] for name, partition in self._partitions.items()}

    async def _lower_ends(
        self, consumer: AIOKafkaConsumer, ends: Mapping[str, int]
    ) -> dict[str, int]:
        """Return the ends, or the present ones where the broker has lost messages meanwhile."""
        present = await retry_during_broker_outage(consumer.end_offsets)(self._partitions.values())
        return {name: min(end, present[self._partitions[name]]) for name, end in ends.items()}

    async def _read_events(self, records: Sequence[ConsumerRecord]) -> list[Event]:
        """Return the events of the messages that have a valid proof and a known form."""
        arrived_at, events = time.monotonic(), list[Event]()
        for record in records:
            with suppress(EventUnprovenError, KeyError, ValueError, UnknownEventError):
                await self._verifier.check_once_keys_answer(record, arrived_at)
                events.append(parse_event(dict(record.headers)["ce_type"].decode(), record.value))
        return events


def _name_partition(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
