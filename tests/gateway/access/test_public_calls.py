"""Of a public call the service gets no more of the caller than its operation needs."""

from tests.support.gateway_harness import VERIFY, Gate


async def test_only_metadata_is_asked_with_the_host_of_the_caller(gate: Gate) -> None:
    headers = {"Host": "mesh.example:8443", "X-Forwarded-Host": "forged"}
    await gate.http.get("/.well-known/oauth-authorization-server", headers=headers)
    asked = gate.services.asked[-1].headers
    assert asked.getlist("X-Forwarded-Host") == ["mesh.example:8443"]
    await gate.ask(VERIFY, headers={**headers})
    assert "X-Forwarded-Host" not in gate.services.asked[-1].headers
