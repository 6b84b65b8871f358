"""The `trace_id` of a refusal leads to its lines in the logs of the running mesh."""

import httpx
import pytest

from tests.support.mesh import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_trace_id_of_a_refusal_leads_to_the_lines_of_gateway_and_service(mesh: Mesh) -> None:
    path = "/dossier/v1/dossiers/H26.101-261122-9999"
    answer = httpx.get(mesh.gateway + path, headers=mesh.sign_in())
    assert answer.status_code == 404
    for one in (answer.json()["trace_id"], answer.headers["X-Request-Id"]):
        found = mesh.run("deploy.dev_stack", "logs", one)
        assert found.returncode == 0, found.stdout + found.stderr
        # Before it, the service may have refused a call that bore no proof for its epoch.
        lines = [line for line in found.stdout.splitlines() if "status=404" in line]
        assert [line.split()[0] for line in lines] == ["dossier-serve", "gateway-serve"]
        assert all("request_refused" in line for line in lines)
        assert path not in found.stdout


def test_id_that_no_line_has_is_named(mesh: Mesh) -> None:
    found = mesh.run("deploy.dev_stack", "logs", "0" * 32)
    assert found.returncode == 1
    assert found.stdout.startswith("No line of ")
