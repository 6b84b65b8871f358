"""Publish, relay and handle events, and read topics and effects, for the tests of `shared`."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.session import SessionFactory
from shared.events import AgencyChanged, DossierProgressed, Event
from shared.messaging import consumer
from shared.messaging.inbox import EventHandler, Handlers
from shared.messaging.kafka import read_records
from shared.messaging.outbox import keep_partitions, publish_events
from shared.messaging.relay import relay_batch, relay_outbox
from shared.runtime.migrations import INFRASTRUCTURE_TABLES_1
from shared.settings import ServiceSettings
from tests.support.event_keys import SIGNERS, VERIFIER, make_record

DOSSIERS = "dossier.events.v1"
# How long one read of a topic waits for the broker.
READ_S = 0.05
# (role, **variables) of tiny_worker.py
Start = Callable[..., subprocess.Popen[bytes]]
SERVICE = "dossier_service"
SIGNER = SIGNERS[SERVICE]


# The key of the inbox, as the migrations of each service change it.
INBOX_BY_CONSUMER = (
    "ALTER TABLE handled_event ADD COLUMN consumer VARCHAR NOT NULL DEFAULT 'tests'",
    "ALTER TABLE handled_event DROP CONSTRAINT handled_event_pkey",
    "ALTER TABLE handled_event ADD PRIMARY KEY (consumer, id)",
)


async def create_infrastructure_tables(sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        for statement in (*INFRASTRUCTURE_TABLES_1, *INBOX_BY_CONSUMER):
            await session.execute(text(statement))
        await session.execute(
            text("CREATE TABLE effect (key TEXT NOT NULL, version INT NOT NULL, at SERIAL)")
        )
        await keep_partitions(session, now=datetime.now(UTC))


def progressed(key: str, version: int = 1, step: str = "desk") -> DossierProgressed:
    at = datetime(2026, 11, 2, 8, tzinfo=UTC)
    return DossierProgressed(
        code=key,
        version=version,
        at=at,
        procedure="1.001193",
        channel=1,
        status=3,
        helped_by=None,
        received_by="H26.1",
        decided_by="H26.1",
        filed_at=at,
        received_at=at,
        due_at=None,
        finished_at=None,
        step=step,
    )


def agency(code: str, version: int = 1) -> AgencyChanged:
    return AgencyChanged(
        version=version,
        at=datetime(2026, 11, 2, 8, tzinfo=UTC),
        code=code,
        name="UBND",
        level="commune",
        parent=None,
        valid_from=date(2025, 7, 1),
        valid_to=None,
        successor=None,
    )


def record(event: Event, offset: int = 0, **over: Any) -> ConsumerRecord:
    """As its owner's relay would have sent it; `over` replaces parts before they are signed."""
    return make_record(event, offset, **over)


async def handle_records(
    sessions: SessionFactory, records: Sequence[ConsumerRecord], handlers: Handlers
) -> None:
    """By the keys of the tests."""
    await consumer.handle_records(sessions, records, handlers, VERIFIER)


async def relay_all(sessions: SessionFactory, producer: AIOKafkaProducer) -> int:
    """One batch, signed by the service of the tests."""
    return await relay_batch(sessions, producer, SIGNER)


async def announce(sessions: SessionFactory, *events: Event) -> None:
    async with sessions.begin() as session:
        publish_events(session, *events)


async def scalar(sessions: SessionFactory, query: str, **values: Any) -> Any:
    async with sessions() as session:
        return await session.scalar(text(query), values)


async def count_letters(sessions: SessionFactory, keys: Collection[str]) -> int:
    """Count the dead letters of these keys: other tests leave letters of theirs."""
    query = "SELECT count(*) FROM dead_letter WHERE key = ANY(:keys)"
    return int(await scalar(sessions, query, keys=list(keys)))


async def versions_of(sessions: SessionFactory, key: str) -> list[int]:
    """Which events of that key took effect, in the order in which they did."""
    async with sessions() as session:
        query = text("SELECT version FROM effect WHERE key = :key ORDER BY at")
        return list((await session.scalars(query, {"key": key})).all())


class Tail:
    """What stands on a topic for one key, from the first message the broker still has."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.consumer = consumer
        self.records: list[ConsumerRecord] = []

    async def of(self, key: str) -> list[ConsumerRecord]:
        # Another test may have left records that cannot be decoded.
        batch = await read_records(self.consumer, timeout_ms=int(READ_S * 1_000), max_records=1_000)
        for records in batch.records.values():
            self.records += records
        return [record for record in self.records if record.key == key.encode()]

    async def has(self, key: str, count: int) -> bool:
        return len(await self.of(key)) >= count

    async def versions(self, key: str) -> list[int]:
        return [
            DossierProgressed.model_validate_json(record.value).version
            for record in await self.of(key)
        ]


def handling(*functions: Callable[..., Any], consumer: str = "tests") -> Handlers:
    """Return the functions as handlers of the event that these tests publish."""
    return {DossierProgressed: [EventHandler(consumer, each) for each in functions]}


async def record_effect(session: AsyncSession, events: Sequence[DossierProgressed]) -> None:
    """A handler whose effect shows every repeat: a row for each event, no key to collide on."""
    rows = [{"key": event.code, "version": event.version} for event in events]
    await session.execute(text("INSERT INTO effect (key, version) VALUES (:key, :version)"), rows)


HANDLERS = handling(record_effect)


@asynccontextmanager
async def tailing(settings: ServiceSettings, topic: str = DOSSIERS) -> AsyncIterator[Tail]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.kafka_servers,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=25,
    )
    async with consumer:
        yield Tail(consumer)


@asynccontextmanager
async def running(part: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run it as a task, which must not end by itself."""
    task = asyncio.create_task(part)
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def relaying(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings
) -> AsyncIterator[None]:
    async with running(
        relay_outbox(sessions, producer, SIGNER, settings.database, asyncio.Event())
    ):
        yield


async def pending(sessions: SessionFactory) -> int:
    count: int = await scalar(sessions, "SELECT count(*) FROM outbox")
    return count


async def nothing_pending(sessions: SessionFactory) -> bool:
    return await pending(sessions) == 0
