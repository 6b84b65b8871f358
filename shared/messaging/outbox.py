"""Events are rows first: written with the change they announce, sent to Kafka afterwards."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import orjson
from sqlalchemy import BigInteger, DateTime, Identity, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.deferred import defer_write
from shared.database.session import Base, act_after_commit
from shared.events import Event
from shared.messaging.kafka import MAX_MESSAGE_BYTES
from shared.messaging.outbox_notifier import notify_relay
from shared.observability.metrics import OUTBOX_AGE, OUTBOX_PENDING
from shared.observability.tracing import build_trace_headers

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


class EventNotOwned(ValueError):  # noqa: N818 -- as above
    """Its topic belongs to another service: every consumer would refuse it."""


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
    trace, source = build_trace_headers(), session.info["source"]
    for event in events:
        if source != f"/{event.publisher}":
            raise EventNotOwned(f"{event.event_type} is not of {source}")
    write(session, [_message(event, source=source, trace=trace) for event in events])


def write(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Defer the rows to the end of the transaction, after which the relay is woken."""
    columns = {f"event_{name}": [getattr(row, name) for row in rows] for name in Row._fields}
    columns["event_headers"] = [orjson.dumps(row.headers).decode() for row in rows]
    defer_write(session, _WRITE, columns)
    act_after_commit(session, notify_relay)


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
