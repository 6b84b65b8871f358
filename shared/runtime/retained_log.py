"""Read the events that the broker still retains, without a consumer group and its offsets."""

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypedDict

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.events import Event, UnknownEventError, parse_event
from shared.messaging.event_proofs import EventUnprovenError, EventVerifier
from shared.messaging.kafka import connection_options, read_records, retry_during_broker_outage
from shared.messaging.topics import list_partitions
from shared.settings import BrokerSettings

BATCH_SIZE = 500
WAIT_MS = 1_000


class Bookmark(TypedDict):
    """The last message that was read from a partition: its offset, and its digest in hex."""

    offset: int
    digest: str


# By partition, which is written `topic/number`; a partition that gave no message has none.
Bookmarks = Mapping[str, Bookmark]


class LogReplacedError(Exception):
    """The broker does not have the messages of the bookmarks: its log is another one."""


@dataclass(frozen=True)
class LogBatch:
    """Events in the order of their partitions, and the bookmarks from which a read goes on.

    `skipped` counts messages without a valid proof or a known form; `remaining` counts the messages
    that follow up to the end of the log at the beginning of the read.
    """

    events: Sequence[Event]
    bookmarks: Bookmarks
    skipped: int
    remaining: int


class RetainedLog(Protocol):
    """A log that can be read again from any bookmark."""

    def read_batches(self, bookmarks: Bookmarks) -> AsyncIterator[LogBatch]:
        """Yield the events after these bookmarks, or all, up to the present end of the log.

        Raise LogReplacedError before the first batch where the bookmarks are of another log.
        """
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

    async def read_batches(self, bookmarks: Bookmarks) -> AsyncIterator[LogBatch]:
        """Yield the events after these bookmarks, or all, up to the present end of the log.

        Raise LogReplacedError before the first batch where the bookmarks are of another log.
        """
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
            following, ends = await self._seek(consumer, bookmarks)
            reached = dict(bookmarks)
            while any(following[name] < end for name, end in ends.items()):
                batch = await read_records(consumer, timeout_ms=WAIT_MS, max_records=BATCH_SIZE)
                for name, partition in self._partitions.items():
                    # Not from the records, because a partition may have lost all that were left.
                    following[name] = await consumer.position(partition)
                    if of_one := batch.records.get(partition):
                        reached[name] = _make_bookmark(of_one[-1])
                if not batch.following:
                    ends = await self._lower_ends(consumer, ends)
                records = [record for of_one in batch.records.values() for record in of_one]
                events = await self._read_events(records)
                skipped = len(records) - len(events) + sum(map(len, batch.unreadable.values()))
                remaining = sum(max(0, end - following[name]) for name, end in ends.items())
                yield LogBatch(events, dict(reached), skipped, remaining)
        finally:
            await consumer.stop()

    async def _seek(
        self, consumer: AIOKafkaConsumer, bookmarks: Bookmarks
    ) -> tuple[dict[str, int], Mapping[str, int]]:
        """Place the consumer; return the offsets of the next messages, and those of the ends."""
        partitions = self._partitions.values()
        begins = await retry_during_broker_outage(consumer.beginning_offsets)(partitions)
        following = {name: begins[partition] for name, partition in self._partitions.items()}
        for name, partition in self._partitions.items():
            bookmark = bookmarks.get(name)
            # Where retention has deleted the message, all that is left is read.
            if bookmark is not None and bookmark["offset"] >= following[name]:
                if not await _has_message(consumer, partition, bookmark):
                    raise LogReplacedError
                following[name] = bookmark["offset"] + 1
        ends = await retry_during_broker_outage(consumer.end_offsets)(partitions)
        for name, partition in self._partitions.items():
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


async def _has_message(
    consumer: AIOKafkaConsumer, partition: TopicPartition, bookmark: Bookmark
) -> bool:
    """Return whether the partition has the message of the bookmark at its offset.

    One that retention deletes meanwhile cannot be compared and counts as had.
    """
    consumer.seek(partition, bookmark["offset"])
    while True:
        ends = await retry_during_broker_outage(consumer.end_offsets)([partition])
        if ends[partition] <= bookmark["offset"]:
            return False
        batch = await read_records(consumer, partition, timeout_ms=WAIT_MS, max_records=1)
        records = batch.records.get(partition)
        if records and records[0].offset == bookmark["offset"]:
            return _make_bookmark(records[0]) == bookmark
        begins = await retry_during_broker_outage(consumer.beginning_offsets)([partition])
        if begins[partition] > bookmark["offset"]:
            return True
        if records or partition in batch.unreadable:
            return False


def _make_bookmark(record: ConsumerRecord) -> Bookmark:
    # A broker that was refilled may have the same event at the same offset, but not its time.
    digest = hashlib.sha256(f"{record.timestamp} ".encode() + (record.value or b""))
    return {"offset": record.offset, "digest": digest.hexdigest()}


def _name_partition(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
