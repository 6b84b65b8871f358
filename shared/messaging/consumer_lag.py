"""Measure how far this service is behind its topics: in events, and in time."""

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import DateTime, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.errors import UNREACHABLE, is_outage
from shared.database.session import Base, SessionFactory
from shared.observability.metrics import CONSUMER_LAG

LAG_S = 5.0


class ConsumedUpTo(Base):
    """A partition and the time up to which each of its messages is handled or a dead letter."""

    __tablename__ = "heard"

    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PartitionProgress(NamedTuple):
    """The offset up to which a partition is handled, and its end offset at the measurement."""

    handled: int
    end: int


class WatermarkTracker:
    """Track, per partition, the latest time up to which every published message has been handled.

    A busy partition is never handled to its end. Its watermark is the time of an earlier
    measurement whose end offset has been handled since.
    """

    def __init__(self) -> None:
        self._goals: dict[TopicPartition, tuple[int, float]] = {}

    def advance(
        self, progress: Mapping[TopicPartition, PartitionProgress], measured_at: float
    ) -> Mapping[TopicPartition, float]:
        """Return the new watermarks (seconds of the monotonic clock) of partitions with one."""
        watermarks: dict[TopicPartition, float] = {}
        # A partition that returns starts anew: another replica may have stored a later time.
        before, self._goals = self._goals, {}
        for partition, (handled, end) in progress.items():
            goal, since = before.get(partition, (end, measured_at))
            # The end of a broker that came back empty lies before the goal.
            if handled >= min(goal, end):
                watermarks[partition] = measured_at if handled >= end else since
                goal, since = end, measured_at
            self._goals[partition] = goal, since
        return watermarks


async def measure_lag(sessions: SessionFactory, consumer: AIOKafkaConsumer) -> None:
    """Measure for ever, also while a batch is stuck, the partitions that this replica has."""
    measured: set[TopicPartition] = set()
    tracker = WatermarkTracker()
    while True:
        measured_at = time.monotonic()
        progress = await _read_progress(consumer)
        for gone in measured - set(progress):
            CONSUMER_LAG.remove(gone.topic, gone.partition)
        for partition, (handled, end) in progress.items():
            CONSUMER_LAG.labels(partition.topic, partition.partition).set(max(0, end - handled))
        measured = set(progress)
        await _store_watermarks(sessions, tracker.advance(progress, measured_at))
        await asyncio.sleep(LAG_S)


async def _store_watermarks(
    sessions: SessionFactory, until: Mapping[TopicPartition, float]
) -> None:
    """Store the times by the clock of the database, against which readers compare them."""
    now, watermarks = time.monotonic(), list(until.items())
    columns = {
        "topics": [partition.topic for partition, _ in watermarks],
        "partitions": [partition.partition for partition, _ in watermarks],
        "ages": [now - at for _, at in watermarks],
    }
    try:
        async with sessions.begin() as session:
            await session.execute(_UPSERT, columns)
    except Exception as error:
        # The next measurement stores the watermarks; the lag is published meanwhile.
        if not is_outage(error):
            raise


_UPSERT = text(
    "INSERT INTO heard (topic, partition, at)"
    " SELECT topic, partition, now() - age * interval '1 second' FROM unnest("
    " CAST(:topics AS varchar[]), CAST(:partitions AS integer[]), CAST(:ages AS float8[]))"
    " AS progress (topic, partition, age)"
    " ON CONFLICT (topic, partition) DO UPDATE SET at = excluded.at"
)


async def _read_progress(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, PartitionProgress]:
    """Return nothing without a broker, nor for partitions that were reassigned meanwhile."""
    try:
        partitions = consumer.assignment()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        handled = await list_committed_offsets(consumer, partitions)
    except (KafkaError, *UNREACHABLE):
        return {}
    return {
        # No offset is ever committed for messages that retention has deleted.
        partition: PartitionProgress(
            max(handled.get(partition, 0), begins[partition]), ends[partition]
        )
        for partition in partitions & consumer.assignment()
    }


async def list_committed_offsets(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> Mapping[TopicPartition, int]:
    """Return the offsets of the partitions of which any was committed, by one request for all."""
    coordinator = consumer._coordinator  # noqa: SLF001 -- the public `committed` requests each alone
    committed = await coordinator.fetch_committed_offsets(list(partitions))
    return {partition: offset.offset for partition, offset in committed.items()}
