"""To a service behind over TLS: only where its certificate is one that this machine trusts."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.http1.pool import _load_trust_store
from tests.support.certificates import DAY, Issuer
from tests.support.fake_upstream import door_before, service_behind

LIST = "/dossier/v1/dossiers"
HERE = "127.0.0.1"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """The one issuer that this machine trusts."""
    issuer = Issuer(tmp_path / "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.certificate))
    _load_trust_store.cache_clear()
    yield issuer
    _load_trust_store.cache_clear()


async def answered(tls: ssl.SSLContext, caller: ClientSession) -> tuple[int, str, int]:
    """Status and body of the answer to a call, and how many calls the service saw."""
    async with (
        service_behind(tls) as behind,
        door_before(behind) as door,
        caller.get(f"{door.url}{LIST}") as response,
    ):
        return response.status, await response.text(), len(behind.asked)


async def test_service_with_a_trusted_certificate_is_asked(
    trusted: Issuer, caller: ClientSession
) -> None:
    assert await answered(trusted.server(HERE), caller) == (200, "{}", 1)


async def test_service_whose_certificate_is_not_trusted_hears_nothing(
    trusted: Issuer, caller: ClientSession, tmp_path: Path
) -> None:
    shown = {
        "of another issuer": Issuer(tmp_path / "other").server(HERE),
        "of another service": trusted.server("127.0.0.2"),
        "of yesterday": trusted.server(HERE, ends=-DAY),
    }
    for which, tls in shown.items():
        status, body, asked = await answered(tls, caller)
        assert (status, asked) == (503, 0), which
        assert "/problems/upstream-away" in body, which
