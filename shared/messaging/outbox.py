"""Store events with the change that they announce; the relay sends them to Kafka afterwards."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import orjson
from sqlalchemy import BigInteger, DateTime, Identity, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.codes.time import utc_now
from shared.database.deferred import defer_write
from shared.database.session import Base, act_after_commit
from shared.events import Event
from shared.messaging.kafka import MAX_MESSAGE_BYTES, count_message_bytes
from shared.messaging.worker_notifier import notify_relay
from shared.observability.metrics import OUTBOX_AGE
from shared.observability.tracing import build_trace_headers

RETENTION_DAYS = 7


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
    """A message that the broker acknowledged, by day, to refill a broker that lost its data."""

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
    """The event exceeds the limit of the broker, which would never take it."""


class EventNotOwned(ValueError):  # noqa: N818 -- as above
    """The topic of the event belongs to another service: every consumer would refuse it."""


class OutboxRow(NamedTuple):
    """A row of `outbox` without its position."""

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


def publish_events(session: AsyncSession, *events: Event) -> None:
    """Publish `events` when the transaction of the session commits."""
    if not events:
        return
    trace, source = build_trace_headers(), session.info["source"]
    for event in events:
        if source != f"/{event.publisher}":
            raise EventNotOwned(f"{event.event_type} is not of {source}")
    add_outbox_rows(session, [_build_row(event, source=source, trace=trace) for event in events])


def add_outbox_rows(session: AsyncSession, rows: Sequence[OutboxRow]) -> None:
    """Defer the rows to the end of the transaction, after which the relay is woken."""
    columns = {f"event_{name}": [getattr(row, name) for row in rows] for name in OutboxRow._fields}
    columns["event_headers"] = [orjson.dumps(row.headers).decode() for row in rows]
    defer_write(session, _WRITE, columns)
    act_after_commit(session, notify_relay)


def _build_row(event: Event, *, source: str, trace: dict[str, str]) -> OutboxRow:
    value = event.model_dump_json().encode()
    event_id, at = uuid4(), utc_now()
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_source": source,
        "ce_type": event.event_type,
        "ce_time": at.isoformat(),
        "content-type": "application/json",
    } | {f"ce_{name}": content for name, content in trace.items()}
    key = str(getattr(event, event.key))
    if (size := count_message_bytes(key, value, headers)) > MAX_MESSAGE_BYTES:
        raise EventTooLarge(f"{event.event_type} of {size} bytes")
    return OutboxRow(event_id, at, event.topic, key, value, headers)


async def requeue_sent_events(session: AsyncSession) -> int:
    """Return all stored sent events to the outbox, before the others; return their number."""
    connection = await session.connection()
    moved = await connection.execute(
        text(
            "WITH sent AS (DELETE FROM outbox_sent RETURNING *)"
            " INSERT INTO outbox (position, id, at, topic, key, value, headers)"
            " SELECT position, id, at, topic, key, value, headers FROM sent"
        )
    )
    return moved.rowcount


async def measure_outbox(session: AsyncSession, *, now: datetime) -> None:
    """Measure the age of the oldest event; to count them would read all that an outage left."""
    oldest = select(OutboxMessage.at).order_by(OutboxMessage.position).limit(1)
    since = await session.scalar(oldest)
    OUTBOX_AGE.set((now - since).total_seconds() if since else 0)


async def keep_partitions(session: AsyncSession, *, now: datetime) -> None:
    """Create the partitions of `outbox_sent` for today and tomorrow, and drop the expired ones."""
    today = now.astimezone(UTC).date()
    for day in (today, today + timedelta(days=1)):
        await session.execute(
            text(
                f"CREATE TABLE IF NOT EXISTS {_name_partition(day)} PARTITION OF outbox_sent"
                # Without the offset the bounds would follow the time zone of the session.
                f" FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
            )
        )
    names = await session.scalars(
        text(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'outbox_sent'::regclass"
        )
    )
    oldest = _name_partition(today - timedelta(days=RETENTION_DAYS))
    for name in names:
        if name < oldest:
            await session.execute(text(f"DROP TABLE {name}"))


def _name_partition(day: date) -> str:
    return f"outbox_sent_{day:%Y%m%d}"
