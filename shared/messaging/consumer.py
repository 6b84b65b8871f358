"""Consume events from Kafka in batches: each takes effect once, in order, or is a dead letter."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.errors import is_too_slow, retry_during_outage, retry_during_outage_unless_slow
from shared.database.session import SessionFactory
from shared.events import Event, parse_event
from shared.messaging.dead_letters import Rejected, store_dead_letters
from shared.messaging.event_proofs import EventVerifier
from shared.messaging.inbox import EventHandler, Handlers, claim_events
from shared.messaging.kafka import read_records
from shared.messaging.unproven import UnprovenSampler
from shared.observability.metrics import EVENTS_HANDLED
from shared.observability.tracing import trace_events

log = structlog.get_logger()

BATCH_SIZE = 1_000
WAIT_MS = 250
# Attempts at a single message whose statements time out. A wait for a lock ends earlier, counts as
# an outage and is repeated without limit.
TRIES_ALONE = 20


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """A proven event with the message that carried it; `traceparent` is empty without a trace."""

    id: UUID
    event: Event
    record: ConsumerRecord
    traceparent: str


async def consume_topics(
    sessions: SessionFactory,
    consumer: AIOKafkaConsumer,
    handlers: Handlers,
    verifier: EventVerifier,
    stopping: asyncio.Event,
) -> None:
    """Handle messages for ever: retry during an outage, and store as dead letters the failing ones.

    Return after the batch under way when `stopping` is set.
    """
    sampler = UnprovenSampler()
    while not stopping.is_set():
        batch = await read_records(consumer, timeout_ms=WAIT_MS, max_records=BATCH_SIZE)
        # One transaction for all partitions, because its fixed cost would otherwise recur for each.
        if records := [record for of_one in batch.records.values() for record in of_one]:
            await handle_records(sessions, records, handlers, verifier, sampler)
        if batch.following:
            await _commit_offsets(consumer, batch.following)


async def handle_records(
    sessions: SessionFactory,
    records: Sequence[ConsumerRecord],
    handlers: Handlers,
    verifier: EventVerifier,
    sampler: UnprovenSampler | None = None,
) -> None:
    """Handle the records that their owner proves; store the others as dead letters.

    `sampler` bounds the number of unproven records that are stored; without one, this call has its
    own.
    """
    proved, unproven = await _check_proofs(verifier, records)
    received, rejected = _read_all(proved)
    await _handle_received(sessions, received, handlers)
    rejected += (sampler or UnprovenSampler()).choose(unproven)
    if rejected:
        await _store_rejected(sessions, rejected)


async def _check_proofs(
    verifier: EventVerifier, records: Sequence[ConsumerRecord]
) -> tuple[list[ConsumerRecord], list[Rejected]]:
    """Return the records that are proved, in order, and the others.

    Nothing here waits for the database: forged messages must not hold up the proved ones.
    """
    proved: list[ConsumerRecord] = []
    unproven: list[Rejected] = []
    arrived_at = time.monotonic()
    for record in records:
        try:
            await verifier.check_once_keys_answer(record, arrived_at)
            proved.append(record)
        except Exception as error:  # noqa: BLE001 -- a check that fails in any way proves nothing
            unproven.append(Rejected(record, error))
    return proved, unproven


def _read_all(records: Sequence[ConsumerRecord]) -> tuple[list[ReceivedEvent], list[Rejected]]:
    """Return the events, and the records that cannot be read.

    A type that this build does not define is among those: its events are kept as dead letters with
    the reason UnknownEventError, and a later build that knows the type handles them.
    """
    received: list[ReceivedEvent] = []
    unreadable: list[Rejected] = []
    for record in records:
        try:
            received.append(_read_event(record))
        except Exception as error:  # noqa: BLE001 -- one unreadable message must not stop the rest
            _log_rejected(record, error)
            unreadable.append(Rejected(record, error))
    return received, unreadable


async def _handle_received(
    sessions: SessionFactory, received: Sequence[ReceivedEvent], handlers: Handlers
) -> None:
    if not received:
        return
    traces = [message.traceparent for message in received]
    try:
        with trace_events(received[0].record.topic, traces):
            await _handle_unless_slow(sessions, received, handlers)
    except Exception:  # noqa: BLE001 -- one fails, or all take too long: handle each alone
        for message in received:
            await _handle_alone(sessions, message, handlers)


def _read_event(record: ConsumerRecord) -> ReceivedEvent:
    headers = dict(record.headers)
    event = parse_event(headers["ce_type"].decode(), record.value)
    traceparent = (headers.get("ce_traceparent") or b"").decode(errors="replace")
    return ReceivedEvent(UUID(headers["ce_id"].decode()), event, record, traceparent)


async def _handle_alone(
    sessions: SessionFactory, message: ReceivedEvent, handlers: Handlers
) -> None:
    with trace_events(message.record.topic, [message.traceparent]):
        try:
            await _handle_one(sessions, message, handlers)
        except Exception as error:  # noqa: BLE001 -- no outage: a retry would fail again
            _log_rejected(message.record, error)
            await _store_rejected(sessions, [Rejected(message.record, error)])


async def _handle_events(
    sessions: SessionFactory, received: Sequence[ReceivedEvent], handlers: Handlers
) -> None:
    """Apply the events and enter them into the inbox in one transaction."""
    async with sessions.begin() as session:
        fresh, by_handler = await _claim_fresh_events(session, received, handlers)
        for handler, events in by_handler.items():
            await handler.apply(session, events)
    for topic, count in Counter(message.record.topic for message in fresh).items():
        EVENTS_HANDLED.labels(topic).inc(count)


_handle_unless_slow = retry_during_outage_unless_slow(_handle_events)


async def _handle_one(sessions: SessionFactory, message: ReceivedEvent, handlers: Handlers) -> None:
    """Raise TimeoutError where each attempt takes too long although the database answers."""
    for _ in range(TRIES_ALONE - 1):
        try:
            return await _handle_unless_slow(sessions, [message], handlers)
        except Exception as error:
            if not is_too_slow(error):
                raise
        await _await_database(sessions)
    return await _handle_unless_slow(sessions, [message], handlers)


@retry_during_outage
async def _await_database(sessions: SessionFactory) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))


async def _claim_fresh_events(
    session: AsyncSession, received: Sequence[ReceivedEvent], handlers: Handlers
) -> tuple[Sequence[ReceivedEvent], Mapping[EventHandler, Sequence[Event]]]:
    """Return the events that some consumer has not handled, and the events of each handler."""
    by_id = {message.id: message for message in reversed(received)}
    handled = [
        (message, handlers.get(type(message.event), ())) for message in reversed(by_id.values())
    ]
    keys = {(handler.consumer, message.id) for message, chosen in handled for handler in chosen}
    claimed = await claim_events(session, keys) if keys else set()
    by_handler: dict[EventHandler, list[Event]] = {}
    fresh: list[ReceivedEvent] = []
    for message, chosen in handled:
        new = [handler for handler in chosen if (handler.consumer, message.id) in claimed]
        for handler in new:
            by_handler.setdefault(handler, []).append(message.event)
        if new:
            fresh.append(message)
    return fresh, by_handler


@retry_during_outage
async def _store_rejected(sessions: SessionFactory, rejected: Sequence[Rejected]) -> None:
    async with sessions.begin() as session:
        await store_dead_letters(session, rejected)


def _log_rejected(record: ConsumerRecord, error: Exception) -> None:
    log.error(
        "event_dead_lettered",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        error=type(error).__name__,
    )


async def _commit_offsets(
    consumer: AIOKafkaConsumer, following: Mapping[TopicPartition, int]
) -> None:
    try:
        await consumer.commit(dict(following))
    except (CommitFailedError, IllegalStateError, KafkaError) as error:
        # After a rebalance or an outage the next consumer of the partition finds them in the inbox.
        log.info("commit_refused", error=type(error).__name__)
