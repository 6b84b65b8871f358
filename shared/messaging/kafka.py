"""Connect a producer or a consumer to Kafka, recognise an outage, and read past broken records."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from socket import gethostname
from ssl import create_default_context
from typing import Any, NamedTuple

import stamina
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    BrokerNotAvailableError,
    CorruptRecordException,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    UnknownError,
    UnsupportedCodecError,
)

from shared.database.errors import UNREACHABLE
from shared.observability.metrics import EVENTS_UNPROVEN
from shared.settings import BrokerSettings, ServiceSettings

log = structlog.get_logger()

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
    size = sum(len(part.encode()) for part in texts)
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


class ReadBatch(NamedTuple):
    """The records read from some partitions, and the next offset of each of these partitions.

    `unreadable` has the offsets of the records that the library could not decode.
    """

    records: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    following: Mapping[TopicPartition, int]
    unreadable: Mapping[TopicPartition, Sequence[int]]


async def read_records(
    consumer: AIOKafkaConsumer, *partitions: TopicPartition, timeout_ms: int, max_records: int
) -> ReadBatch:
    """Read from the partitions, or from all; skip, log and count the records that are unreadable.

    The library decodes the names of headers, among others, although any sender may put any bytes
    there. Its error would otherwise end the consumer, and again after each restart.
    """
    positions = await _list_positions(consumer, partitions or tuple(consumer.assignment()))
    try:
        messages = await consumer.getmany(
            *(positions or _NO_PARTITION), timeout_ms=timeout_ms, max_records=max_records
        )
    except Exception as error:
        if not _is_unreadable(error):
            raise
        return await _read_each_singly(consumer, positions, timeout_ms)
    return ReadBatch(
        messages, {partition: of_one[-1].offset + 1 for partition, of_one in messages.items()}, {}
    )


# No argument would mean all partitions.
_NO_PARTITION = (TopicPartition("", 0),)
# Partitions whose position takes longer, as after a rebalance, are left to the next read.
_POSITION_S = 0.01
MAX_SINGLE_READS = 100
# A stop waits for a read under way.
REFETCH_S = 5.0


async def _list_positions(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    positions: dict[TopicPartition, int] = {}
    for partition in partitions:
        with suppress(TimeoutError, IllegalStateError):
            async with asyncio.timeout(_POSITION_S):
                positions[partition] = await consumer.position(partition)
    return positions


def _is_unreadable(error: Exception) -> bool:
    """Return whether the error came from the content of a record, and not from the broker."""
    return not isinstance(error, KafkaError) or isinstance(
        error, CorruptRecordException | UnsupportedCodecError
    )


async def _read_each_singly(
    consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int], timeout_ms: int
) -> ReadBatch:
    """Read a limited number of records one by one, so that an error tells its partition."""
    for partition, offset in positions.items():
        # The library has dropped the records of the partitions that it read before the error.
        with suppress(IllegalStateError):
            consumer.seek(partition, offset)
    reads = await _refetch(consumer, positions.keys(), timeout_ms)
    records: dict[TopicPartition, Sequence[ConsumerRecord]] = {}
    following: dict[TopicPartition, int] = {}
    unreadable: dict[TopicPartition, Sequence[int]] = {}
    for partition, (of_one, skipped) in reads.items():
        if of_one:
            records[partition] = of_one
        if skipped:
            unreadable[partition] = skipped
            EVENTS_UNPROVEN.labels(partition.topic).inc(len(skipped))
            log.error(
                "events_unreadable",
                topic=partition.topic,
                partition=partition.partition,
                first_offset=skipped[0],
                count=len(skipped),
            )
        if offsets := [*skipped, *(record.offset for record in of_one)]:
            following[partition] = max(offsets) + 1
    return ReadBatch(records, following, unreadable)


class _SingleReads(NamedTuple):
    """The records that were read one by one from a partition, and the offsets that were skipped."""

    records: list[ConsumerRecord]
    skipped: list[int]

    def is_full(self) -> bool:
        return len(self.records) + len(self.skipped) >= MAX_SINGLE_READS


async def _refetch(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], timeout_ms: int
) -> Mapping[TopicPartition, _SingleReads]:
    """Read the partitions record by record, until the unreadable record is met.

    Its broker may answer after `timeout_ms`, and later than the brokers of other partitions, so the
    reads are repeated: otherwise the next read of the caller would end in the same error, and its
    seek would discard the late answer.
    """
    reads = {partition: _SingleReads([], []) for partition in partitions}
    deadline = time.monotonic() + REFETCH_S
    while waiting := [
        partition
        for partition in consumer.assignment().intersection(partitions)
        if not reads[partition].is_full()
    ]:
        await asyncio.gather(
            *(_read_singly(consumer, name, timeout_ms, reads[name]) for name in waiting)
        )
        if any(read.skipped for read in reads.values()) or time.monotonic() > deadline:
            break
    return reads


async def _read_singly(
    consumer: AIOKafkaConsumer, partition: TopicPartition, timeout_ms: int, reads: _SingleReads
) -> None:
    """Add to `reads` until the broker has sent no more for `timeout_ms`."""
    wait_ms = timeout_ms
    # The partition may be given to another consumer meanwhile.
    with suppress(IllegalStateError):
        while not reads.is_full():
            try:
                messages = await consumer.getmany(partition, timeout_ms=wait_ms, max_records=1)
            except Exception as error:
                if not _is_unreadable(error):
                    raise
                offset = await consumer.position(partition)
                consumer.seek(partition, offset + 1)
                reads.skipped.append(offset)
                wait_ms = timeout_ms
                continue
            if not messages:
                break
            reads.records.extend(messages[partition])
            # The records behind it were fetched with it.
            wait_ms = 0
