"""The relay and the consumer with its inbox, on the embedded broker and on Apache Kafka.

Both have a database and a broker of their own, which nothing else publishes to or consumes.
"""

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from jwt import PyJWK
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.bench.figures import Figure
from deploy.bench.mesh import Mesh, run_as
from deploy.broker import EmbeddedBroker
from deploy.kafka.server import KafkaServer
from deploy.ports import free_port
from deploy.postgres import EmbeddedPostgres, make_database, make_databases, service_url
from deploy.process import running
from deploy.secrets import digest_key, ed25519_key
from deploy.services import SERVICES
from shared.codes.time import utc_now
from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.events import DossierFiled
from shared.messaging.consumer import consume_topics
from shared.messaging.event_proofs import EventVerifier
from shared.messaging.inbox import ApplyEvents, EventHandler, Handlers
from shared.messaging.kafka import open_consumer, open_producer
from shared.messaging.outbox import keep_partitions
from shared.messaging.relay import BATCH_SIZE, relay_batch
from shared.runtime.event_keys import build_event_key_set, make_event_signer
from shared.settings import ServiceSettings
from sync_service.handlers import project_dossiers

SERVICE = "sync_service"
EVENTS, ROUNDS = 20_000, 3
MAX_WAIT_S = 60.0
AIM = 10_000


async def measure(mesh: Mesh) -> list[Figure]:
    count = max(BATCH_SIZE, int(EVENTS * min(1.0, mesh.seconds(2) / 2)))
    figures: list[Figure] = []
    with TemporaryDirectory() as folder:
        figures += await _measure_on(
            EmbeddedBroker(free_port(), Path(folder) / "log"), "embedded broker", count
        )
        if shutil.which("java") and shutil.which("mvn"):
            kafka = Path(folder) / "kafka"
            kafka.mkdir()
            figures += await _measure_on(KafkaServer(kafka), "Apache Kafka", count)
        else:
            print("there is no Java or Maven here: Apache Kafka is left out")
    return figures


async def _measure_on(broker: EmbeddedBroker | KafkaServer, name: str, count: int) -> list[Figure]:
    with running(broker), _make_database() as url:
        settings = ServiceSettings(
            name=SERVICE,
            database_url=url,
            kafka_servers=broker.servers,
            kafka_idempotent=broker.idempotent,
            kafka_fetch_wait_ms=broker.fetch_wait_ms,
            digest_key=SecretStr(digest_key()),
            event_key=SecretStr(ed25519_key()),
        )
        async with open_database(settings) as sessions:
            relayed = [await _measure_relay(settings, sessions, count) for _ in range(ROUNDS)]
            inbox = await _measure_consumer(settings, sessions, count, "inbox", _ignore_events)
            await _empty_inbox(sessions)
            projected = await _measure_consumer(settings, sessions, count, "view", project_dossiers)
    return [
        Figure(f"events relayed from the outbox, {name}", "1/s", relayed, AIM),
        Figure(f"events consumed with inbox, {name}", "1/s", inbox, AIM),
        Figure(f"events projected into the national view, {name}", "1/s", projected),
    ]


@contextmanager
def _make_database() -> Iterator[str]:
    """Make an empty database of sync_service; it has the infrastructure tables and the view."""
    with TemporaryDirectory(prefix="bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data", Path(folder) / "log")
        with running(server):
            make_databases(server.url, passwords={})
            make_database(server.url, "events", owner=SERVICES[SERVICE].role)
            url = service_url(server.url, SERVICES[SERVICE], "events")
            run_as(SERVICE, "-m", SERVICE, "migrate", DATABASE_URL=url)
            yield url


class _PublishedKeys:
    """The key that signed the events, as if its owner had published it."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._keys = {jwk["kid"]: PyJWK(jwk) for jwk in build_event_key_set(settings)["keys"]}

    async def get_current(self, kid: str, since: float) -> PyJWK | None:  # noqa: ARG002
        return self._keys.get(kid)


async def _measure_relay(settings: ServiceSettings, sessions: SessionFactory, count: int) -> float:
    signer = make_event_signer(settings)
    async with sessions.begin() as session:
        await keep_partitions(session, now=utc_now())
        await _write_filings(session, count)
    async with open_producer(settings) as producer:
        started = time.perf_counter()
        while await relay_batch(sessions, producer, signer):
            pass
        return count / (time.perf_counter() - started)


async def _write_filings(session: AsyncSession, count: int) -> None:
    """Write the filings of `count` dossiers, each with its own code."""
    first = int(await session.scalar(text("SELECT count(*) FROM outbox_sent")) or 0)
    now = utc_now()
    event = DossierFiled(
        code="CODE",
        version=1,
        at=now,
        procedure="1.001193",
        channel=1,
        status=2,
        helped_by=None,
        received_by="H26.101",
        decided_by="H26.101",
        filed_at=now,
        received_at=now,
        due_at=now,
        finished_at=None,
    )
    headers = {
        "ce_specversion": "1.0",
        "ce_source": "/dossier_service",
        "ce_type": DossierFiled.event_type,
        "ce_time": now.isoformat(),
        "content-type": "application/json",
    }
    given = {
        "topic": DossierFiled.topic,
        "value": event.model_dump_json(),
        "headers": orjson.dumps(headers).decode(),
        "first": first,
        "last": first + count - 1,
    }
    await session.execute(_MANY, given)


_MANY = text("""
    INSERT INTO outbox (id, at, topic, key, value, headers)
    SELECT id, now(), :topic, code, convert_to(replace(:value, 'CODE', code), 'UTF8'),
        CAST(:headers AS jsonb) || jsonb_build_object('ce_id', id)
    FROM (SELECT gen_random_uuid() AS id, 'H26.101-261120-' || lpad(number::text, 7, '0') AS code
        FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS number) AS made
""")


async def _ignore_events(_: AsyncSession, __: Sequence[Any]) -> None:
    """Do nothing, so that the inbox is measured alone."""


async def _measure_consumer(
    settings: ServiceSettings,
    sessions: SessionFactory,
    count: int,
    group: str,
    handler: ApplyEvents,
) -> list[float]:
    """Return the events a second in each third; the first begins at the end of the first batch."""
    stopping, instants, total = asyncio.Event(), list[tuple[int, float]](), 0

    async def count_events(session: AsyncSession, events: Sequence[Any]) -> None:
        nonlocal total
        await handler(session, events)
        total += len(events)
        instants.append((total, time.perf_counter()))
        if total >= ROUNDS * count:
            stopping.set()

    handlers: Handlers = {DossierFiled: [EventHandler("bench", count_events)]}
    verifier = EventVerifier({DossierFiled.publisher: _PublishedKeys(settings)})
    async with (
        asyncio.timeout(MAX_WAIT_S),
        open_consumer(settings, [DossierFiled.topic], group) as consumer,
    ):
        await consume_topics(sessions, consumer, handlers, verifier, stopping)
    return compute_speeds(instants, ROUNDS)


def compute_speeds(instants: Sequence[tuple[int, float]], rounds: int) -> list[float]:
    """Return the speed of each of `rounds` stretches; `instants` has the total after each batch."""
    borders = [
        instants[round(number * (len(instants) - 1) / rounds)] for number in range(rounds + 1)
    ]
    pairs = pairwise(borders)
    return [(done - before) / (at - since) for (before, since), (done, at) in pairs if at > since]


async def _empty_inbox(sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        await session.execute(text("TRUNCATE handled_event"))
