"""After all other tests: no personal number in any log, trace, event, metric or problem text."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from prometheus_client import generate_latest
from sqlalchemy import make_url

from deploy.dev_stack.stack import read_stack
from deploy.postgres import plain_url
from deploy.services import SERVICES
from tests.conftest import Databases
from tests.support.captured_logs import PERSONAL_NUMBER, Overheard
from tests.support.collector import Collector
from tests.support.mesh import Mesh
from tests.support.waiting import eventually

pytestmark = [pytest.mark.last, pytest.mark.slow, pytest.mark.timeout(600)]

# What leaves a service, or is shown to its operators; bodies of people and dossiers are theirs.
NUMBER = "001090000001"
LEAVING = ("outbox", "outbox_sent", "dead_letter", "handled_event", "access_record", "ledger_seal")

# The mechanics are tried with events of the tests' own, which say what no service says.
OF_TESTS_ALONE = "effect"


def test_search_finds_a_number_and_no_other_digits() -> None:
    assert PERSONAL_NUMBER.search('{"number": "001090000001"}')
    for other in ("H26.101-261122-0001", "4f3a-001090000001", "1.001193", "12001090000001"):
        assert not PERSONAL_NUMBER.search(other)


def test_no_log_line_of_the_tests_holds_a_personal_number(overheard: Overheard) -> None:
    assert not overheard.logged, overheard.logged[:5]


async def test_no_problem_or_header_holds_a_personal_number(
    mesh: Mesh, overheard: Overheard
) -> None:
    before = overheard.problems
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=60) as http:
        headers = mesh.sign_in()
        for misplaced in (
            http.build_request("GET", f"/dossier/v1/dossiers/{NUMBER}", headers=headers),
            http.build_request("GET", f"/sync/v1/dossiers?agency={NUMBER}", headers=headers),
            http.build_request("POST", f"/identity/v1/{NUMBER}", headers=headers),
            http.build_request(
                "POST", "/identity/v1/verifications", headers=headers, json={NUMBER: NUMBER}
            ),
            http.build_request("GET", "/sync/v1/agencies", headers=headers | {"X-Dossier": NUMBER}),
        ):
            assert (await http.send(misplaced)).is_client_error
    assert overheard.problems >= before + 5
    assert not overheard.told, overheard.told[:5]


@pytest.mark.usefixtures("postgres")
def test_no_log_file_holds_a_personal_number(
    mesh: Mesh, server_logs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    searched = set(tmp_path_factory.getbasetemp().rglob("*.log"))
    assert len(set(mesh.directory.rglob("*.log"))) > 9
    assert searched > {server_logs / "postgres.log", mesh.directory / "up.log"}
    for log in searched:
        found = PERSONAL_NUMBER.findall(log.read_text(errors="replace"))
        assert not found, f"{log.name} holds {len(found)} personal numbers"


async def test_no_trace_holds_a_personal_number(mesh: Mesh, collector: Collector) -> None:
    """Also where a caller put one into a path or a query."""
    trace = uuid4().hex
    headers = mesh.sign_in() | {"traceparent": f"00-{trace}-{uuid4().hex[:16]}-01"}
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=60, headers=headers) as http:
        assert (await http.get(f"/dossier/v1/dossiers/{NUMBER}")).is_client_error
        assert (await http.get(f"/sync/v1/dossiers?agency={NUMBER}")).is_client_error
    await eventually(partial(_have_told, {"dossier_service", "sync_service"}, collector, trace))
    lines = [line for told in collector.texts() for line in told.splitlines()]
    assert not [line for line in lines if PERSONAL_NUMBER.search(line)]


def _have_told(services: set[str], collector: Collector, trace: str) -> bool:
    return services <= {step.service for step in collector.of(trace)}


def test_no_metric_holds_a_personal_number(mesh: Mesh) -> None:
    doors = [mesh.gateway, *(mesh.worker(service.short) for service in SERVICES.values())]
    told = [httpx.get(f"{door}/metrics").raise_for_status().text for door in doors]
    for metrics in (*told, generate_latest().decode()):
        assert "_total" in metrics
        assert not PERSONAL_NUMBER.findall(metrics)


async def test_no_event_or_record_holds_a_personal_number(postgres: Databases, mesh: Mesh) -> None:
    searched = 0
    for server in (postgres.server, read_stack(mesh.environment).postgres):
        for url in await every_database(server.url):
            async for row in leaving(url):
                searched += 1
                assert not PERSONAL_NUMBER.search(row), row
    assert searched > 100


async def every_database(admin_url: str) -> list[str]:
    connection = await asyncpg.connect(plain_url(admin_url))
    try:
        names = await connection.fetch("SELECT datname FROM pg_database WHERE NOT datistemplate")
    finally:
        await connection.close()
    return [plain_url(str(make_url(admin_url).set(database=name))) for (name,) in names]


async def leaving(url: str) -> AsyncIterator[str]:
    """Each row of what leaves, as text."""
    connection = await asyncpg.connect(url)
    try:
        there = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE tablename = ANY($1)"
            " AND NOT EXISTS (SELECT FROM pg_tables WHERE tablename = $2)",
            LEAVING,
            OF_TESTS_ALONE,
        )
        for (table,) in there:
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):
                yield f"{table}: " + " ".join(as_text(value) for value in row.values())
    finally:
        await connection.close()


def as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
