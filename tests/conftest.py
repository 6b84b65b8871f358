"""The real servers that tests share: each is started once a session and leaves nothing behind."""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url
from xdist.remote import Producer

from deploy.broker import EmbeddedBroker
from deploy.kafka.server import KafkaServer
from deploy.ports import free_port
from deploy.postgres import (
    EMPTY_TEMPLATE,
    EmbeddedPostgres,
    make_database,
    make_databases,
    service_url,
)
from deploy.process import running
from deploy.run_sync import run_apart
from deploy.services import SERVICES
from tests.support.captured_logs import Overheard, overhearing
from tests.support.collector import Collector, collecting
from tests.support.mesh import Mesh, running_mesh
from tests.support.scheduling import FileScheduling
from tests.support.templates import migrate_database
from tests.support.tools import OF_TESTS, count_left_out, describe_missing
from tests.support.unhurried import lengthen_limits

# `make fuzz` asks so many times as much.
MORE = int(os.environ.get("FUZZ_TIMES", "1"))

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
WORKERS_A_PROCESSOR = 2

# The same examples whichever tests run, and none is too slow on a busy machine.
settings.register_profile(
    "same",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")


def pytest_report_header() -> list[str]:
    return list(describe_missing(OF_TESTS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests that were left out by what they lack, apart from those that passed."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reports]
    if lines := count_left_out(reasons, "the tests"):
        terminalreporter.section("left out")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_xdist_auto_num_workers() -> int:
    """Start more workers than processors, because much of the tests' time is waiting."""
    return WORKERS_A_PROCESSOR * (os.cpu_count() or 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    return FileScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def unhurried() -> Iterator[None]:
    """The services in this process wait as long as the machine needs."""
    with pytest.MonkeyPatch.context() as patch:
        lengthen_limits(patch)
        yield


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of the whole run, in which each worker has its own."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if IS_WORKER else own


@pytest.fixture(scope="session", autouse=True)
def overheard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overheard]:
    with overhearing() as heard:
        yield heard
    if IS_WORKER:
        heard.note_metrics()
        heard.write(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def server_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the servers: they stay until what all tests have left is looked at."""
    return tmp_path_factory.mktemp("logs")


@dataclass
class Databases:
    """`server.stop()` and `server.start()` make an outage; both block until it is so."""

    server: EmbeddedPostgres
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    templates: dict[str, str] = field(default_factory=dict)

    def database_url(self, service: str, template: str = EMPTY_TEMPLATE) -> str:
        """Return a new database of that service's role: `postgresql+asyncpg://…`.

        It is empty, or a copy of the database `template`.
        """
        found = SERVICES[service]
        name = f"{found.database}_{next(self.numbers)}"
        make_database(self.server.url, name, owner=found.role, template=template)
        return service_url(self.server.url, found, name)

    def migrated_url(self, service: str) -> str:
        """Return a new database that has the tables of the service, and no more rows."""
        return self.copied_url(service, service, partial(migrate_database, service))

    def copied_url(self, service: str, name: str, fill: Callable[[str], None]) -> str:
        """Return a new database, copied from the one that `fill` has filled once for the name."""
        if name not in self.templates:
            url = self.database_url(service)
            fill(url)
            self.templates[name] = make_url(url).database or ""
        return self.database_url(service, self.templates[name])


class Broker(Protocol):
    """What a test may know of the broker; `stop` and `start` keep its port, and block."""

    idempotent: bool
    fetch_wait_ms: int
    keeps_data: bool

    @property
    def servers(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@pytest.fixture(scope="session")
def postgres(server_logs: Path, overheard: Overheard) -> Iterator[Databases]:
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = EmbeddedPostgres(
            Path(folder) / "data", server_logs / "postgres.log", durable=False
        )
        with running(server):
            make_databases(server.url, passwords={})
            yield Databases(server)
            if IS_WORKER:
                run_apart(overheard.note_rows(server.url))


@contextmanager
def started_broker(server_logs: Path) -> Iterator[Broker]:
    """The embedded broker, or Apache Kafka itself where TEST_KAFKA=apache; a free port."""
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        broker: EmbeddedBroker | KafkaServer = (
            KafkaServer(Path(folder))
            if os.environ.get("TEST_KAFKA") == "apache"
            else EmbeddedBroker(free_port(), log=server_logs / "broker.log")
        )
        with running(broker):
            yield broker


@pytest.fixture(scope="session")
def kafka(server_logs: Path) -> Iterator[Broker]:
    with started_broker(server_logs) as broker:
        yield broker


@pytest.fixture
def own_kafka(server_logs: Path) -> Iterator[Broker]:
    """For a test that stops it, or needs its topics empty: the embedded one takes 0.1 s."""
    with started_broker(server_logs) as broker:
        yield broker


@pytest.fixture(scope="session")
def collector(overheard: Overheard) -> Iterator[Collector]:
    with collecting() as found:
        yield found
    if IS_WORKER:
        overheard.note_traces(found)


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Mesh]:
    directory = tmp_path_factory.mktemp("mesh") / "run"
    with running_mesh(directory, TRACING_ENDPOINT=collector.endpoint) as mesh:
        yield mesh
