"""After all other tests: no personal number in any log, trace, event, metric or problem text."""

import os
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from prometheus_client import generate_latest

from deploy.dev_stack.stack import read_stack
from deploy.services import SERVICES
from tests.conftest import Databases
from tests.support.captured_logs import PERSONAL_NUMBER, Overheard
from tests.support.collector import Collector
from tests.support.mesh import Mesh
from tests.support.waiting import eventually

pytestmark = [pytest.mark.last, pytest.mark.slow, pytest.mark.timeout(600)]

NUMBER = "001090000001"


@pytest.fixture(scope="module")
def findings(overheard: Overheard, run_folder: Path) -> list[Overheard]:
    """Return those of this process, and those that the other workers have left."""
    own = f"popen-{os.environ.get('PYTEST_XDIST_WORKER')}"
    others = [folder for folder in run_folder.glob("popen-*") if folder.name != own]
    return [overheard, *map(Overheard.read, others)]


def test_search_finds_a_number_and_no_other_digits() -> None:
    assert PERSONAL_NUMBER.search('{"number": "001090000001"}')
    for other in ("H26.101-261122-0001", "4f3a-001090000001", "1.001193", "12001090000001"):
        assert not PERSONAL_NUMBER.search(other)


def test_no_log_line_of_the_tests_holds_a_personal_number(findings: list[Overheard]) -> None:
    logged = [line for each in findings for line in each.logged]
    assert not logged, logged[:5]


async def test_no_problem_or_header_holds_a_personal_number(
    mesh: Mesh, overheard: Overheard, findings: list[Overheard]
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
    told = [line for each in findings for line in each.told]
    assert not told, told[:5]


@pytest.mark.usefixtures("postgres")
def test_no_log_file_holds_a_personal_number(
    mesh: Mesh, server_logs: Path, run_folder: Path
) -> None:
    searched = set(run_folder.rglob("*.log"))
    assert len(set(mesh.directory.rglob("*.log"))) > 9
    assert searched > {server_logs / "postgres.log", mesh.directory / "up.log"}
    for log in searched:
        found = PERSONAL_NUMBER.findall(log.read_text(errors="replace"))
        assert not found, f"{log.name} holds {len(found)} personal numbers"


async def test_no_trace_holds_a_personal_number(
    mesh: Mesh, collector: Collector, findings: list[Overheard]
) -> None:
    """Also where a caller put one into a path or a query."""
    trace = uuid4().hex
    headers = mesh.sign_in() | {"traceparent": f"00-{trace}-{uuid4().hex[:16]}-01"}
    async with httpx.AsyncClient(base_url=mesh.gateway, timeout=60, headers=headers) as http:
        assert (await http.get(f"/dossier/v1/dossiers/{NUMBER}")).is_client_error
        assert (await http.get(f"/sync/v1/dossiers?agency={NUMBER}")).is_client_error
    await eventually(partial(_have_told, {"dossier_service", "sync_service"}, collector, trace))
    findings[0].note_traces(collector)
    assert not [line for each in findings for line in each.traced]


def _have_told(services: set[str], collector: Collector, trace: str) -> bool:
    return services <= {step.service for step in collector.of(trace)}


def test_no_metric_holds_a_personal_number(mesh: Mesh, findings: list[Overheard]) -> None:
    doors = [mesh.gateway, *(mesh.worker(service.short) for service in SERVICES.values())]
    told = [httpx.get(f"{door}/metrics").raise_for_status().text for door in doors]
    for metrics in (*told, generate_latest().decode()):
        assert "_total" in metrics
        assert not PERSONAL_NUMBER.findall(metrics)
    assert not [line for each in findings for line in each.measured]


async def test_no_event_or_record_holds_a_personal_number(
    postgres: Databases, mesh: Mesh, findings: list[Overheard]
) -> None:
    for server in (postgres.server, read_stack(mesh.environment).postgres):
        await findings[0].note_rows(server.url)
    assert findings[0].rows > 100
    stored = [row for each in findings for row in each.stored]
    assert not stored, stored[:5]
