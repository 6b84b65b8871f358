"""Reads events from Kafka in batches: each takes effect once, in order, or is set aside."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from opentelemetry import propagate, trace
from sqlalchemy import DateTime, delete, func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import Base, SessionFactory, wait_out_outage
from shared.dead_letters import set_aside
from shared.events import Event, UnknownEventError, parse
from shared.telemetry import CONSUMER_LAG, EVENTS_HANDLED, start_trace

log = structlog.get_logger()
tracer = trace.get_tracer(__name__)

# A handler gets all events of a batch that are meant for it, in order, and applies them as a set.
Handler = Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]
Handlers = Mapping[type[Event], Sequence[Handler]]

BATCH_SIZE = 1_000
WAIT_MS = 1_000
# Longer than sent events are kept: whatever can be sent again is still known.
REMEMBERED_DAYS = 8


class HandledEvent(Base):
    """The inbox: an event id that this service has handled and will not handle again."""

    __tablename__ = "handled_event"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


@dataclass(frozen=True, slots=True)
class Received:
    id: UUID
    event: Event
    record: ConsumerRecord


async def consume(sessions: SessionFactory, consumer: AIOKafkaConsumer, handlers: Handlers) -> None:
    """For ever. An outage is waited out; a message that cannot be handled is set aside."""
    while True:
        batches = await consumer.getmany(timeout_ms=WAIT_MS, max_records=BATCH_SIZE)
        for partition, records in batches.items():
            await handle_records(sessions, records, handlers)
            await _commit(consumer, partition, records[-1].offset + 1)
            _measure_lag(consumer, partition, records[-1].offset + 1)


async def handle_records(
    sessions: SessionFactory, records: Sequence[ConsumerRecord], handlers: Handlers
) -> None:
    received: list[Received] = []
    for record in records:
        try:
            received.append(_read(record))
        except UnknownEventError:
            log.debug("event_skipped", topic=record.topic, offset=record.offset)
        except Exception as error:  # noqa: BLE001 -- one unreadable message must not stop the rest
            await _set_aside(sessions, record, error)
    try:
        await _handle(sessions, received, handlers)
    except Exception:  # noqa: BLE001 -- one of them is at fault: find it, let the others through
        for one in received:
            await _handle_alone(sessions, one, handlers)


def _read(record: ConsumerRecord) -> Received:
    headers = dict(record.headers)
    event = parse(headers["ce_type"].decode(), record.value)
    return Received(UUID(headers["ce_id"].decode()), event, record)


async def _handle_alone(sessions: SessionFactory, one: Received, handlers: Handlers) -> None:
    traceparent = dict(one.record.headers).get("ce_traceparent", b"").decode(errors="replace")
    context = propagate.extract({"traceparent": traceparent})
    start_trace(traceparent)
    with tracer.start_as_current_span(one.record.topic, context=context):
        try:
            await _handle(sessions, [one], handlers)
        except Exception as error:  # noqa: BLE001 -- whatever it is, waiting would not mend it
            await _set_aside(sessions, one.record, error)


@wait_out_outage
async def _handle(
    sessions: SessionFactory, received: Sequence[Received], handlers: Handlers
) -> None:
    """All of them in one transaction with the inbox: once in effect, however often delivered."""
    if not received:
        return
    async with sessions.begin() as session:
        fresh = await _not_yet_handled(session, received)
        for handler, events in _by_handler(fresh, handlers).items():
            await handler(session, events)
    EVENTS_HANDLED.labels(received[0].record.topic).inc(len(fresh))


async def _not_yet_handled(
    session: AsyncSession, received: Sequence[Received]
) -> Sequence[Received]:
    by_id = {one.id: one for one in reversed(received)}
    inbox = upsert(HandledEvent).on_conflict_do_nothing().returning(HandledEvent.id)
    # In one order everywhere, so that two deliveries of the same events cannot deadlock.
    rows = [{"id": event_id} for event_id in sorted(by_id)]
    fresh = set((await session.scalars(inbox, rows)).all())
    return [one for one in reversed(by_id.values()) if one.id in fresh]


def _by_handler(
    received: Sequence[Received], handlers: Handlers
) -> Mapping[Handler, Sequence[Event]]:
    grouped: dict[Handler, list[Event]] = {}
    for one in received:
        for handler in handlers.get(type(one.event), ()):
            grouped.setdefault(handler, []).append(one.event)
    return grouped


@wait_out_outage
async def _set_aside(sessions: SessionFactory, record: ConsumerRecord, error: Exception) -> None:
    log.error(
        "event_set_aside",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        error=type(error).__name__,
    )
    async with sessions.begin() as session:
        await set_aside(session, record, error)


async def _commit(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    try:
        await consumer.commit({partition: offset})
    except (CommitFailedError, IllegalStateError, KafkaError) as error:
        # A rebalance or an outage: whoever reads them again finds them in the inbox.
        log.info("commit_refused", partition=str(partition), error=type(error).__name__)


def _measure_lag(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    # A partition that went to another replica meanwhile is that one's to measure.
    if partition not in consumer.assignment():
        return
    if (end := consumer.highwater(partition)) is not None:
        CONSUMER_LAG.labels(partition.topic, partition.partition).set(max(0, end - offset))


async def forget_handled(session: AsyncSession) -> None:
    oldest = func.now() - func.make_interval(0, 0, 0, REMEMBERED_DAYS)
    await session.execute(delete(HandledEvent).where(HandledEvent.at < oldest))
