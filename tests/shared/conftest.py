"""The infrastructure of `shared` alone, on a database without tables of a service."""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
import stamina
import structlog
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from deploy.ports import free_port
from shared.database.engine import open_database
from shared.database.session import SessionFactory
from shared.messaging.kafka import open_producer
from shared.settings import ServiceSettings
from tests.conftest import Broker, Databases
from tests.shared.event_flow import (
    SERVICE,
    Start,
    Tail,
    create_infrastructure_tables,
    relaying,
    tailing,
)
from tests.support.event_keys import key_text, serving_keys
from tests.support.factories import DIGEST_KEY, TestAuthority

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(postgres: Databases, kafka: Broker) -> ServiceSettings:
    """Of a service with a new database; `effect` is the table that test handlers write."""
    return ServiceSettings(
        name=SERVICE,
        database_url=postgres.database_url(SERVICE),
        kafka_servers=kafka.servers,
        kafka_idempotent=kafka.idempotent,
        kafka_fetch_wait_ms=kafka.fetch_wait_ms,
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text(SERVICE)),
    )


@pytest.fixture
async def sessions(settings: ServiceSettings) -> AsyncIterator[SessionFactory]:
    async with open_database(settings) as sessions:
        await create_infrastructure_tables(sessions)
        yield sessions


@pytest.fixture
async def producer(settings: ServiceSettings) -> AsyncIterator[AIOKafkaProducer]:
    async with open_producer(settings) as producer:
        yield producer


@pytest.fixture
async def relayed(
    sessions: SessionFactory, producer: AIOKafkaProducer, settings: ServiceSettings
) -> AsyncIterator[Tail]:
    """The axis while a relay fills it."""
    async with relaying(sessions, producer, settings), tailing(settings) as tail:
        yield tail


@pytest.fixture
def key() -> str:
    """Of a dossier that no other test knows: the broker is shared by all of them."""
    return f"H26.{uuid4().hex}"


@pytest.fixture(scope="session")
def key_urls() -> Iterator[Mapping[str, str]]:
    """Where workers find the keys that prove events."""
    with serving_keys() as urls:
        yield urls


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def logged() -> Iterator[None]:
    """For a test that sets the logs up as a process does; leaves them as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
def start(
    settings: ServiceSettings,
    sessions: SessionFactory,
    key_urls: Mapping[str, str],
    tmp_path: Path,
) -> Iterator[Start]:
    """Starts `tiny_worker.py` with these further variables; ends what is left of it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(role: str, **variables: str) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": settings.database_url,
            "KAFKA_SERVERS": settings.kafka_servers,
            "KAFKA_IDEMPOTENT": str(settings.kafka_idempotent),
            "KAFKA_FETCH_WAIT_MS": str(settings.kafka_fetch_wait_ms),
            "DIGEST_KEY": DIGEST_KEY.get_secret_value(),
            "EVENT_KEY": key_text(SERVICE),
            **{name.upper(): url for name, url in key_urls.items()},
            "WORKER_PORT": str(free_port()),
            "WORKER": f"worker-{tmp_path.name}-{os.getpid()}",
            "ROLE": role,
            "DIED": str(tmp_path / "died"),
        }
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests" / "shared" / "tiny_worker.py")],
                env=environment | variables,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
