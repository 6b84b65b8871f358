"""The page of a sandbox is there in a sandbox alone, and shows no secret."""

from tests.conftest import Databases
from tests.support.gateway_harness import Gate, Services, open_gate

ADDRESS = "http://gateway.example"


async def test_installation_in_use_has_no_page(gate: Gate) -> None:
    answer = await gate.http.get("/sandbox")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_page_of_a_sandbox_loads_nothing_and_names_its_gateway(
    postgres: Databases, services: Services
) -> None:
    database = postgres.migrated_url("gateway")
    async with open_gate(database, services, sandbox=True, issuer=ADDRESS) as sandbox:
        answer = await sandbox.http.get("/sandbox")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert f"API={ADDRESS}\n" in answer.text
    assert "GATEWAY" not in answer.text
    assert "<script" not in answer.text
