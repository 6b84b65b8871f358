"""How far this service is behind the axis: in events, and until when it has heard all."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import DateTime, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.errors import UNREACHABLE, is_outage
from shared.database.session import Base, SessionFactory
from shared.observability.metrics import CONSUMER_LAG

LAG_SECONDS = 5.0


class Heard(Base):
    """Whatever stood in that partition at that time has taken effect here, or was set aside."""

    __tablename__ = "heard"

    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class _Reach(NamedTuple):
    """Of a partition: how far it is handled, and where it ended when that was asked."""

    handled: int
    end: int


class _Hearing:
    """Until when all that stood in each partition is handled, by a look at it every so often.

    Where more keeps coming none is handled to its end: then it counts where it ended before.
    """

    def __init__(self) -> None:
        self._goals: dict[TopicPartition, tuple[int, float]] = {}

    def until(
        self, reached: Mapping[TopicPartition, _Reach], asked_at: float
    ) -> Mapping[TopicPartition, float]:
        """Of those that came as far as they had ended at an earlier time: that time."""
        heard: dict[TopicPartition, float] = {}
        # Of one that was another's meanwhile, that one may have told of a later time.
        before, self._goals = self._goals, {}
        for partition, (handled, end) in reached.items():
            goal, since = before.get(partition, (end, asked_at))
            # A broker that came back empty ends before.
            if handled >= min(goal, end):
                heard[partition] = asked_at if handled >= end else since
                goal, since = end, asked_at
            self._goals[partition] = goal, since
        return heard


async def measure_lag(sessions: SessionFactory, consumer: AIOKafkaConsumer) -> None:
    """For ever, also while a batch is stuck; of a partition that another replica has, nothing."""
    measured: set[TopicPartition] = set()
    hearing = _Hearing()
    while True:
        asked_at = time.monotonic()
        reached = await _reached(consumer)
        for gone in measured - set(reached):
            CONSUMER_LAG.remove(gone.topic, gone.partition)
        for partition, (handled, end) in reached.items():
            CONSUMER_LAG.labels(partition.topic, partition.partition).set(max(0, end - handled))
        measured = set(reached)
        await _note_heard(sessions, hearing.until(reached, asked_at))
        await asyncio.sleep(LAG_SECONDS)


async def _note_heard(sessions: SessionFactory, until: Mapping[TopicPartition, float]) -> None:
    """By the clock of the database, by which it is read too."""
    now, heard = time.monotonic(), list(until.items())
    told = {
        "topics": [partition.topic for partition, _ in heard],
        "partitions": [partition.partition for partition, _ in heard],
        "ages": [now - at for _, at in heard],
    }
    try:
        async with sessions.begin() as session:
            await session.execute(_HEARD, told)
    except Exception as error:
        # The lag is published on; a mark that is not noted now is noted later.
        if not is_outage(error):
            raise


_HEARD = text(
    "INSERT INTO heard (topic, partition, at)"
    " SELECT topic, partition, now() - age * interval '1 second' FROM unnest("
    " CAST(:topics AS varchar[]), CAST(:partitions AS integer[]), CAST(:ages AS float8[]))"
    " AS told (topic, partition, age)"
    " ON CONFLICT (topic, partition) DO UPDATE SET at = excluded.at"
)


async def _reached(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, _Reach]:
    """Nothing where no broker tells, or of partitions that just changed hands."""
    try:
        partitions = consumer.assignment()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        handled = {partition: await consumer.committed(partition) for partition in partitions}
    except (KafkaError, *UNREACHABLE):
        return {}
    return {
        # Of what retention has taken nothing comes, and nothing is ever committed.
        partition: _Reach(max(handled[partition] or 0, begins[partition]), ends[partition])
        for partition in partitions & consumer.assignment()
    }
