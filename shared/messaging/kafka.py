"""The axis as this process sees it: a producer, a consumer, and when it is away."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from socket import gethostname
from ssl import create_default_context
from typing import Any

import stamina
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    BrokerNotAvailableError,
    KafkaError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    UnknownError,
)

from shared.database.errors import UNREACHABLE
from shared.settings import BrokerSettings, ServiceSettings

MAX_MESSAGE_BYTES = 900_000
REQUEST_TIMEOUT_MS = 5_000

# The library calls these final; they only say that no broker answers now, or that one which is
# starting or stopping cannot say why it does not (UnknownError).
UNANSWERED = (
    BrokerNotAvailableError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    UnknownError,
    *UNREACHABLE,
)


def is_broker_outage(error: Exception) -> bool:
    """True where waiting helps. A message refused, a right lacking, a producer that died: not."""
    return isinstance(error, UNANSWERED) or (isinstance(error, KafkaError) and error.retriable)


wait_out_broker = stamina.retry(on=is_broker_outage, attempts=None, timeout=None, wait_max=2.0)


def connection_options(settings: BrokerSettings) -> dict[str, Any]:
    """Return the arguments by which each client of the library reaches the brokers and signs on.

    Over TLS the certificate of a broker must name the host that is connected to.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = create_default_context(cafile=settings.kafka_ca_file or None)
    if settings.kafka_security_protocol.startswith("SASL"):
        password = settings.kafka_password
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": password.get_secret_value() if password else "",
        }
    return options


@asynccontextmanager
async def open_producer(settings: ServiceSettings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        **connection_options(settings),
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
    settings: ServiceSettings,
    topics: Sequence[str],
    group: str,
    partitions: Sequence[TopicPartition] = (),
) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of the group; with `partitions` it takes these and joins nobody."""
    consumer = AIOKafkaConsumer(
        *(() if partitions else topics),
        **connection_options(settings),
        group_id=group,
        # A worker that is killed and comes back takes its place again, before its session ends.
        group_instance_id=None if partitions else f"{gethostname()}-{settings.worker_port}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.kafka_fetch_wait_ms,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_500,
        metadata_max_age_ms=30_000,
    )
    await wait_out_broker(consumer.start)()
    if partitions:
        consumer.assign(partitions)
    try:
        yield consumer
    finally:
        # The library lets a member with a place keep it; who ends leaves its partitions at once.
        consumer._coordinator._group_instance_id = None  # noqa: SLF001 -- no public way
        await consumer.stop()
