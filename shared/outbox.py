"""Events are rows first: written with the change they announce, sent to Kafka afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import orjson
import structlog
from aiokafka import AIOKafkaProducer
from sqlalchemy import URL, BigInteger, DateTime, Identity, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.bell import CHANNEL
from shared.database import (
    Base,
    SessionFactory,
    connect_driver,
    driver_transaction,
    ring_at_commit,
    wait_out_outage,
)
from shared.deferred import defer_write
from shared.events import Event
from shared.kafka import MAX_MESSAGE_BYTES, wait_out_broker
from shared.telemetry import EVENTS_SENT, OUTBOX_AGE, OUTBOX_PENDING, trace_headers

log = structlog.get_logger()

BATCH_SIZE = 1_000
POLL_SECONDS = 5.0
# Of the connection that listens: one that is half open tells nobody.
HEARTBEAT_SECONDS = 5.0
HEARTBEAT_ANSWER_SECONDS = 5.0
RELAY_LOCK = 7_001
KEPT_DAYS = 7


class OutboxMessage(Base):
    """An event as a CloudEvent 1.0 in binary Kafka mode: headers apart from the value."""

    __tablename__ = "outbox"

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    topic: Mapped[str]
    key: Mapped[str]
    value: Mapped[bytes]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)


class SentMessage(Base):
    """What the broker acknowledged, by day, kept to refill a broker that lost its data."""

    __tablename__ = "outbox_sent"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True, server_default=func.now()
    )
    id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    topic: Mapped[str]
    key: Mapped[str]
    value: Mapped[bytes]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)


class EventTooLarge(ValueError):  # noqa: N818 -- a fact about the event, raised where it is written
    """No broker would take it, and the relay would stand still before it for ever."""


class Row(NamedTuple):
    """Of `outbox`, but for its position."""

    id: UUID
    at: datetime
    topic: str
    key: str
    value: bytes
    headers: dict[str, str]


_WRITE = (
    "INSERT INTO outbox (id, at, topic, key, value, headers)"
    " SELECT * FROM unnest(CAST(:event_id AS uuid[]), CAST(:event_at AS timestamptz[]),"
    " CAST(:event_topic AS varchar[]), CAST(:event_key AS varchar[]),"
    " CAST(:event_value AS bytea[]), CAST(:event_headers AS jsonb[]))"
)


def emit(session: AsyncSession, *events: Event) -> None:
    """Announce `events` with the session's transaction: all of it happens, or nothing."""
    if not events:
        return
    trace, source = trace_headers(), session.info["source"]
    write(session, [_message(event, source=source, trace=trace) for event in events])


def write(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Defer the rows to the end of the transaction, after which the relay is woken."""
    columns = {f"event_{name}": [getattr(row, name) for row in rows] for name in Row._fields}
    columns["event_headers"] = [orjson.dumps(row.headers).decode() for row in rows]
    defer_write(session, _WRITE, columns)
    ring_at_commit(session)


def _message(event: Event, *, source: str, trace: dict[str, str]) -> Row:
    value = event.model_dump_json().encode()
    if len(value) > MAX_MESSAGE_BYTES:
        raise EventTooLarge(f"{event.event_type} of {len(value)} bytes")
    event_id, at = uuid4(), datetime.now(UTC)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_source": source,
        "ce_type": event.event_type,
        "ce_time": at.isoformat(),
        "content-type": "application/json",
    } | {f"ce_{name}": content for name, content in trace.items()}
    return Row(event_id, at, event.topic, str(getattr(event, event.key)), value, headers)


async def relay(
    sessions: SessionFactory, producer: AIOKafkaProducer, url: URL, stopping: asyncio.Event
) -> None:
    """Send outbox rows to Kafka, in order, at least once; woken by each commit.

    Ends after the batch under way when `stopping` is set.
    """
    async with _woken_by(url, stopping) as wake:
        while not stopping.is_set():
            wake.clear()
            if await relay_batch(sessions, producer) < BATCH_SIZE and not stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), POLL_SECONDS)


@wait_out_outage
@wait_out_broker
async def relay_batch(sessions: SessionFactory, producer: AIOKafkaProducer) -> int:
    """Returns how many were sent; 0 also where another relay holds the lock."""
    async with driver_transaction(sessions) as connection:
        # One relay at a time, whichever replica holds the lock: two would reorder events.
        if not await connection.fetchval(_LOCK, RELAY_LOCK):
            return 0
        messages = [_Message(*row) for row in await connection.fetch(_OLDEST, BATCH_SIZE)]
        if messages:
            await _send_all(producer, messages)
            await connection.execute(_MOVE, [message.position for message in messages])
    return len(messages)


class _Message(NamedTuple):
    position: int
    topic: str
    key: str
    value: bytes
    headers: dict[str, str]


_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
_OLDEST = "SELECT position, topic, key, value, headers FROM outbox ORDER BY position LIMIT $1"
_MOVE = (
    "WITH sent AS (DELETE FROM outbox WHERE position = ANY($1::bigint[]) RETURNING *)"
    " INSERT INTO outbox_sent (position, at, id, topic, key, value, headers)"
    " SELECT position, at, id, topic, key, value, headers FROM sent"
)


async def _send_all(producer: AIOKafkaProducer, messages: Iterable[Any]) -> None:
    acknowledged: list[Awaitable[object]] = [
        await producer.send(
            message.topic,
            message.value,
            key=message.key.encode(),
            headers=[(name, content.encode()) for name, content in message.headers.items()],
        )
        for message in messages
    ]
    # All are settled before anything is sent again: nothing old is left to overtake it.
    for outcome in await asyncio.gather(*acknowledged, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
    for message in messages:
        EVENTS_SENT.labels(message.topic).inc()


@asynccontextmanager
async def _woken_by(url: URL, stopping: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """An event that is set whenever a transaction wrote to the outbox, and at the end."""
    wake = asyncio.Event()
    # A group, so that a listener that dies ends the relay and is not missed unseen.
    async with asyncio.TaskGroup() as tasks:
        around = [
            tasks.create_task(_listen(url, wake)),
            tasks.create_task(_wake_at(stopping, wake)),
        ]
        yield wake
        for task in around:
            task.cancel()


async def _wake_at(stopping: asyncio.Event, wake: asyncio.Event) -> None:
    await stopping.wait()
    wake.set()


@wait_out_outage
async def _listen(url: URL, wake: asyncio.Event) -> None:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await connect_driver(plain, timeout=5)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    await connection.add_listener(CHANNEL, lambda *_: wake.set())
    wake.set()
    try:
        while not lost.is_set():
            await connection.execute("SELECT 1", timeout=HEARTBEAT_ANSWER_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), HEARTBEAT_SECONDS)
        raise ConnectionError("the connection that listens to the outbox was lost")
    finally:
        connection.terminate()


async def replay(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    since: datetime,
    stopping: asyncio.Event | None = None,
) -> int:
    """Send again what was sent since then, in order; every inbox drops what it knows.

    Ends after the batch under way when `stopping` is set.
    """
    after, count = -1, 0
    while messages := await _sent_after(sessions, after, since):
        if stopping and stopping.is_set():
            return count
        await wait_out_broker(_send_all)(producer, messages)
        after, count = messages[-1].position, count + len(messages)
    log.info("outbox_replayed", count=count)
    return count


@wait_out_outage
async def _sent_after(sessions: SessionFactory, position: int, since: datetime) -> Sequence[Any]:
    query = (
        select(SentMessage.__table__)
        .where(SentMessage.position > position, SentMessage.sent_at >= since)
        .order_by(SentMessage.position)
        .limit(BATCH_SIZE)
    )
    async with sessions() as session:
        return (await session.execute(query)).all()


async def measure_outbox(session: AsyncSession) -> None:
    oldest = select(func.count(), func.min(OutboxMessage.at))
    count, since = (await session.execute(oldest)).one()
    OUTBOX_PENDING.set(count)
    OUTBOX_AGE.set((datetime.now(UTC) - since).total_seconds() if since else 0)


async def keep_partitions(session: AsyncSession) -> None:
    """A partition of `outbox_sent` for today and tomorrow; none older than `KEPT_DAYS`."""
    today = datetime.now(UTC).date()
    for day in (today, today + timedelta(days=1)):
        await session.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {_partition(day)} PARTITION OF outbox_sent"
                # The offset stands here, or the bounds would follow the session's time zone.
                f" FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
            )
        )
    names = await session.scalars(
        text(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'outbox_sent'::regclass"
        )
    )
    oldest = _partition(today - timedelta(days=KEPT_DAYS))
    for name in names:
        if name < oldest:
            await session.execute(text(f"DROP TABLE {name}"))


def _partition(day: date) -> str:
    return f"outbox_sent_{day:%Y%m%d}"
