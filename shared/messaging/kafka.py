"""Connect a producer or a consumer to Kafka, and recognise an outage of the brokers."""

from collections.abc import AsyncIterator, Mapping, Sequence
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
# With the proof that the relay adds. A broker takes 1 MiB by default. The producer refuses more by
# itself, because a refusal by the broker would fail all messages of the same request.
MAX_SENT_BYTES = 1_000_000
# At most two lengths of a header are written beside it, of five bytes each.
HEADER_OVERHEAD_BYTES = 10
REQUEST_TIMEOUT_MS = 5_000

# The library does not retry these, although they mean only that no broker answers now, or that a
# broker which is starting or stopping gives no reason (UnknownError).
UNANSWERED = (
    BrokerNotAvailableError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    UnknownError,
    *UNREACHABLE,
)


def is_broker_outage(error: Exception) -> bool:
    """Return whether a retry helps; it does not for a refused message or a missing right."""
    return isinstance(error, UNANSWERED) or (isinstance(error, KafkaError) and error.retriable)


def count_message_bytes(key: str, value: bytes, headers: Mapping[str, str]) -> int:
    """Return an upper limit of the bytes that a message takes before it is compressed."""
    texts = [key, *headers, *headers.values()]
    size = sum(len(each.encode()) for each in texts)
    return len(value) + size + HEADER_OVERHEAD_BYTES * len(headers)


retry_during_broker_outage = stamina.retry(
    on=is_broker_outage, attempts=None, timeout=None, wait_max=2.0
)


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
        # One request for a batch of a partition: no later part can overtake a lost one.
        max_batch_size=MAX_MESSAGE_BYTES,
        max_request_size=MAX_SENT_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=30_000,
    )
    await retry_during_broker_outage(producer.start)()
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
    """Join the group; with `partitions`, read these without joining a group."""
    consumer = AIOKafkaConsumer(
        *(() if partitions else topics),
        **connection_options(settings),
        group_id=group,
        # Static membership lets a restarted worker keep its partitions without waiting for the
        # session timeout.
        group_instance_id=None if partitions else f"{gethostname()}-{settings.worker_port}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.kafka_fetch_wait_ms,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_500,
        metadata_max_age_ms=30_000,
    )
    await retry_during_broker_outage(consumer.start)()
    if partitions:
        consumer.assign(partitions)
    try:
        yield consumer
    finally:
        # A static member would keep its partitions until the session timeout.
        consumer._coordinator._group_instance_id = None  # noqa: SLF001 -- no public way
        await consumer.stop()
