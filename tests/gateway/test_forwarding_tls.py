"""To a service behind over TLS: only where its certificate is one that this machine trusts."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import ClientSession
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.forwarding.session import _trust
from tests.gateway.wire import door_before, service_behind

LIST = "/dossier/v1/dossiers"
HERE = "127.0.0.1"
DAY = timedelta(days=1)


class Issuer:
    """A certificate authority of its own; `certificate` is what one who trusts it has in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._key = folder, generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, folder.name)])
        is_issuer = x509.BasicConstraints(ca=True, path_length=0)
        made = self._made(self._name, self._key).add_extension(is_issuer, critical=True)
        self.certificate = folder / "issuer.pem"
        folder.mkdir()
        self.certificate.write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def server(self, address: str, *, ends: timedelta = DAY) -> ssl.SSLContext:
        """Of a service that shows a certificate for that address."""
        key, name = generate_private_key(SECP256R1()), x509.Name([])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        made = self._made(name, key, ends).add_extension(names, critical=True)
        chain = self.folder / f"{address}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain.write_bytes(private + made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain)
        return context

    def _made(
        self, name: x509.Name, key: EllipticCurvePrivateKey, ends: timedelta = DAY
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - 2 * DAY,
            not_valid_after=now + ends,
        )


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """The one issuer that this machine trusts."""
    issuer = Issuer(tmp_path / "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.certificate))
    _trust.cache_clear()
    yield issuer
    _trust.cache_clear()


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
