"""The axis as this process sees it: a producer, a consumer, and the topics themselves."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import stamina
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from shared.events import DEAD
from shared.settings import ServiceSettings

log = structlog.get_logger()

PARTITIONS = 6
DEAD_PARTITIONS = 1
MAX_MESSAGE_BYTES = 900_000
REQUEST_TIMEOUT_MS = 5_000

wait_out_broker = stamina.retry(
    on=(KafkaError, OSError, TimeoutError), attempts=None, timeout=None, wait_max=2.0
)


@wait_out_broker
async def ensure_topics(servers: str, topics: Collection[str]) -> None:
    """Create what is missing, also after a broker lost everything; never change what is there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        missing = set(topics) - set(await admin.list_topics())
        if missing:
            await admin.create_topics([_topic(name) for name in sorted(missing)])
            log.info("topics_created", topics=sorted(missing))
    finally:
        await admin.close()


def _topic(name: str) -> NewTopic:
    return NewTopic(name, DEAD_PARTITIONS if name.endswith(DEAD) else PARTITIONS, 1)


@asynccontextmanager
async def open_producer(settings: ServiceSettings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_servers,
        enable_idempotence=settings.kafka_idempotent,
        acks="all",
        linger_ms=0,
        # What the relay sends of one partition goes as one: a later part cannot pass a lost one.
        max_batch_size=MAX_MESSAGE_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=30_000,
    )
    await wait_out_broker(producer.start)()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def open_consumer(
    settings: ServiceSettings, topics: Sequence[str], group: str
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=settings.kafka_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.kafka_fetch_wait_ms,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
        metadata_max_age_ms=30_000,
    )
    await wait_out_broker(consumer.start)()
    try:
        yield consumer
    finally:
        await consumer.stop()
