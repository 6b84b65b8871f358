"""The local stack names the address at which it is asked, and is a sandbox by default."""

from pathlib import Path

import pytest

from deploy.dev_stack.stack import ROOT, read_stack
from deploy.services import SERVICES


def test_issuer_of_the_local_stack_is_its_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ISSUER", raising=False)
    stack = read_stack({"RUN_DIR": str(tmp_path), "GATEWAY_PORT": "18000"})
    issuers = {stack.service_environment(each)["ISSUER"] for each in SERVICES.values()}
    assert issuers == {"http://127.0.0.1:18000"}


@pytest.mark.parametrize(("given", "found"), [(None, "true"), ("false", "false")])
def test_local_stack_is_a_sandbox_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, found: str
) -> None:
    monkeypatch.delenv("SANDBOX", raising=False)
    if given:
        monkeypatch.setenv("SANDBOX", given)
    stack = read_stack({"RUN_DIR": str(tmp_path)})
    assert stack.service_environment(SERVICES["identity_service"])["SANDBOX"] == found


def test_issuer_of_compose_is_the_address_that_it_publishes() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    port = "${GATEWAY_PORT:-${PORT_BASE:-8000}}"
    assert f"ISSUER: ${{ISSUER:-http://127.0.0.1:{port}}}\n" in text
    assert "ISSUER_ALIASES: ${ISSUER_ALIASES:-}" in text
    assert f'"127.0.0.1:{port}:8000"' in text
