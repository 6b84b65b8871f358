"""How far a service is behind the axis is told, also while nothing of it moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY

from shared.database.session import SessionFactory
from shared.messaging.consumer_lag import PartitionProgress, WatermarkTracker, measure_lag
from shared.messaging.topics import TOPIC_TABLE
from shared.settings import ServiceSettings
from tests.shared.event_flow import DOSSIERS, progressed, record, scalar
from tests.support.waiting import eventually

PARTITION = TopicPartition(DOSSIERS, 0)
FIRST_HEARD = "SELECT at FROM heard WHERE partition = 0"
OTHERS_HEARD = "SELECT min(at) FROM heard WHERE partition > 0"


def lag(partition: TopicPartition) -> float | None:
    labels = {"topic": partition.topic, "partition": str(partition.partition)}
    return REGISTRY.get_sample_value("consumer_lag_events", labels)


@asynccontextmanager
async def measuring(sessions: SessionFactory, consumer: AIOKafkaConsumer) -> AsyncIterator[None]:
    """Measure the lag until the block ends."""
    task = asyncio.create_task(measure_lag(sessions, consumer))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.broker
async def test_lag_is_told_while_nothing_is_handled_and_not_of_anothers_partitions(
    settings: ServiceSettings,
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.messaging.consumer_lag.LAG_S", 0.05)
    numbers = range(TOPIC_TABLE[DOSSIERS].partitions)
    first, *others = [TopicPartition(DOSSIERS, number) for number in numbers]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_servers, group_id=f"g-{key}", enable_auto_commit=False
    )
    sent = record(progressed(key))
    send = partial(producer.send_and_wait, DOSSIERS, sent.value, headers=list(sent.headers))
    async with consumer:
        consumer.assign([first, *others])
        # Behind a batch of many, whatever test sent it, the embedded broker does not tell the end.
        await send(partition=0)
        await consumer.commit(await consumer.end_offsets([first, *others]))
        async with measuring(sessions, consumer):
            # The gauge may still say what another test left there.
            await eventually(lambda: scalar(sessions, FIRST_HEARD))
            assert lag(first) == 0
            for _ in range(3):
                await send(partition=0)
            await eventually(lambda: lag(first) == 3)
            await eventually(lambda: scalar(sessions, f"SELECT ({OTHERS_HEARD}) > ({FIRST_HEARD})"))
            heard, past = await scalar(sessions, FIRST_HEARD), await scalar(sessions, OTHERS_HEARD)
            later = f"SELECT ({OTHERS_HEARD}) > :past"
            await eventually(lambda: scalar(sessions, later, past=past))
            assert await scalar(sessions, FIRST_HEARD) == heard
            consumer.assign(others)
            await eventually(lambda: lag(first) is None)
            assert lag(others[0]) is not None


@pytest.mark.parametrize(
    ("looks", "until"),
    [
        # Each look: handled, end, and when it was; then until when all was heard, if at all.
        ([(5, 5, 10.0)], 10.0),
        ([(0, 5, 10.0)], None),
        # More came since, but what stood there at the look before is handled.
        ([(0, 5, 10.0), (5, 9, 15.0)], 10.0),
        ([(0, 5, 10.0), (4, 9, 15.0)], None),
        ([(0, 5, 10.0), (4, 9, 15.0), (5, 9, 20.0)], 10.0),
        ([(0, 5, 10.0), (9, 9, 15.0)], 15.0),
        # The broker lost what it had.
        ([(0, 5, 10.0), (0, 0, 15.0)], 15.0),
    ],
)
def test_heard_is_what_stood_there_at_a_look_and_is_handled(
    looks: list[tuple[int, int, float]], until: float | None
) -> None:
    tracker = WatermarkTracker()
    *before, last = looks
    for handled, end, at in before:
        tracker.advance({PARTITION: PartitionProgress(handled, end)}, at)
    handled, end, at = last
    assert tracker.advance({PARTITION: PartitionProgress(handled, end)}, at).get(PARTITION) == until


def test_partition_that_comes_back_is_looked_at_anew() -> None:
    tracker = WatermarkTracker()
    tracker.advance({PARTITION: PartitionProgress(0, 5)}, 10.0)
    tracker.advance({}, 15.0)  # another replica has it, and tells of it
    assert tracker.advance({PARTITION: PartitionProgress(7, 9)}, 20.0) == {}
    assert tracker.advance({PARTITION: PartitionProgress(9, 12)}, 25.0) == {PARTITION: 20.0}
