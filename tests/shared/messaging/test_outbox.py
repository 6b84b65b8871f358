"""What is committed is sent, once it can be, in order; what is not committed never is."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from sqlalchemy import text

from shared.database.session import SessionFactory
from shared.events import DossierProgressed
from shared.messaging.kafka import MAX_MESSAGE_BYTES, count_message_bytes
from shared.messaging.outbox import (
    EventNotOwned,
    EventTooLarge,
    _build_row,
    measure_outbox,
    publish_events,
    requeue_sent_events,
)
from shared.messaging.relay import BATCH_SIZE, replay_sent_events
from shared.observability.metrics import OUTBOX_AGE
from shared.observability.tracing import build_trace_headers, start_trace
from shared.settings import ServiceSettings
from tests.shared.event_flow import (
    SIGNER,
    agency,
    announce,
    nothing_pending,
    pending,
    progressed,
    relay_all,
    relaying,
    scalar,
    tailing,
)
from tests.support.event_keys import VERIFIER
from tests.support.waiting import PATIENCE_S, eventually

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_rolled_back_change_emits_nothing(sessions: SessionFactory, key: str) -> None:
    async with sessions() as session, session.begin() as transaction:
        publish_events(session, progressed(key))
        await session.flush()
        await transaction.rollback()
    assert await pending(sessions) == 0


async def test_too_large_event_is_refused_where_it_is_emitted(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(EventTooLarge, match=r"^dossier\.progressed\.v1 of \d+ bytes$"):
        await announce(sessions, progressed(key, step="x" * MAX_MESSAGE_BYTES))
    assert await pending(sessions) == 0


async def test_event_of_another_service_is_refused_where_it_is_emitted(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(EventNotOwned, match=r"^identity\.agency\.changed\.v1 is not of /dossier"):
        await announce(sessions, progressed(key), agency("H26"))
    assert await pending(sessions) == 0


@pytest.mark.broker
async def test_replayed_event_is_signed_anew_and_proven(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    await announce(sessions, *(progressed(key, n) for n in range(3)))
    await relay_all(sessions, producer)
    assert (
        await replay_sent_events(sessions, producer, SIGNER, datetime.now(UTC) - timedelta(days=1))
        == 3
    )
    async with tailing(settings) as tail:
        await eventually(lambda: tail.has(key, 6))
        for record in await tail.of(key):
            await VERIFIER.check(record)


@pytest.mark.broker
async def test_event_arrives_as_a_cloud_event_with_its_trace(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    start_trace(TRACE)
    await announce(sessions, progressed(key, 7))
    assert await relay_all(sessions, producer) == 1
    async with tailing(settings) as tail:
        record = (await eventually(lambda: tail.of(key)))[0]
    message = KafkaMessage(dict(record.headers), record.key, record.value)
    event = from_binary(message, JSONFormat())
    assert event.get_type() == "dossier.progressed.v1"
    assert event.get_source() == "/dossier_service"
    assert event.get_extension("partitionkey") == key
    assert event.get_extension("traceparent") == TRACE
    assert DossierProgressed.model_validate(event.get_data()).version == 7
    sent_at = event.get_time()
    assert sent_at
    assert timedelta() <= datetime.now(UTC) - sent_at < timedelta(minutes=1)


@pytest.mark.broker
async def test_largest_event_passes(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    source = "/dossier_service"
    least = _build_row(progressed(key, step=""), source=source, trace=build_trace_headers())
    # The time of the event is shorter where it has no microseconds.
    spare = MAX_MESSAGE_BYTES - count_message_bytes(least.key, least.value, least.headers) - 10
    with pytest.raises(EventTooLarge):
        await announce(sessions, progressed(key, step="x" * (spare + 20 + 1)))
    await announce(sessions, progressed(key, step="x" * spare))
    async with asyncio.timeout(PATIENCE_S):
        assert await relay_all(sessions, producer) == 1
    async with tailing(settings) as tail:
        assert len((await eventually(lambda: tail.of(key)))[0].value) == len(least.value) + spare


@pytest.mark.broker
async def test_one_keys_order_holds_over_batches_and_sent_rows_are_kept(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    count = BATCH_SIZE + 500
    for first in range(0, count, 250):
        await announce(sessions, *(progressed(key, first + n) for n in range(250)))
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        await eventually(lambda: tail.has(key, count))
        assert await tail.versions(key) == list(range(count))
        await eventually(lambda: nothing_pending(sessions))
    assert await scalar(sessions, "SELECT count(*) FROM outbox_sent") == count


@pytest.mark.broker
async def test_row_that_waited_for_days_can_still_be_sent(
    sessions: SessionFactory, producer: AIOKafkaProducer, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE outbox SET at = now() - interval '20 days'"))
    assert await relay_all(sessions, producer) == 1
    assert await pending(sessions) == 0


@pytest.mark.broker
async def test_replay_sends_again_only_what_was_sent_since(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    await announce(sessions, progressed(key, 1))
    await relay_all(sessions, producer)
    between = datetime.now(UTC)
    await announce(sessions, progressed(key, 2), progressed(key, 3))
    await relay_all(sessions, producer)
    assert await replay_sent_events(sessions, producer, SIGNER, between) == 2
    async with tailing(settings) as tail:
        await eventually(lambda: tail.has(key, 5))
        records = await tail.of(key)
        assert await tail.versions(key) == [1, 2, 3, 2, 3]
    ids = [dict(record.headers)["ce_id"] for record in records]
    assert ids[1:3] == ids[3:5]


@pytest.mark.broker
async def test_restored_database_sends_all_again_that_it_has_sent_and_first(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings, key: str
) -> None:
    await announce(sessions, progressed(key, 1))
    await relay_all(sessions, producer)
    await announce(sessions, progressed(key, 2))
    await relay_all(sessions, producer)
    await announce(sessions, progressed(key, 3))
    async with sessions.begin() as session:
        assert await requeue_sent_events(session) == 2
    assert await pending(sessions) == 3
    assert await scalar(sessions, "SELECT count(*) FROM outbox_sent") == 0
    assert await relay_all(sessions, producer) == 3
    async with tailing(settings) as tail:
        await eventually(lambda: tail.has(key, 5))
        assert await tail.versions(key) == [1, 2, 1, 2, 3]


async def test_age_of_the_oldest_waiting_event_is_measured(
    sessions: SessionFactory, key: str
) -> None:
    await announce(sessions, progressed(key))
    async with sessions.begin() as session:
        await session.execute(text("UPDATE outbox SET at = now() - interval '90 seconds'"))
    await announce(sessions, progressed(f"H26.{uuid4().hex}"))
    async with sessions() as session:
        await measure_outbox(session, now=datetime.now(UTC))
    assert 90 <= OUTBOX_AGE._value.get() < 120
