"""A certificate authority of the tests, and the certificates of servers that it issues."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DAY = timedelta(days=1)


class Issuer:
    """Issues certificates; `certificate` is the file of a client that trusts it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._key = folder, generate_private_key(SECP256R1())
        self._name = _name(folder.name)
        is_issuer = x509.BasicConstraints(ca=True, path_length=0)
        made = self._made(self._name, self._key).add_extension(is_issuer, critical=True)
        self.certificate = folder / "issuer.pem"
        folder.mkdir()
        self.certificate.write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def server(self, address: str, *, ends: timedelta = DAY) -> ssl.SSLContext:
        """Return the context of a server that shows a certificate for that address."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.write_chain(address, ends=ends))
        return context

    def write_chain(self, address: str, *, ends: timedelta = DAY) -> Path:
        """Return a PEM file of a new key and its certificate for that address."""
        key = generate_private_key(SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        made = self._made(_name(address), key, ends).add_extension(names, critical=False)
        chain = self.folder / f"{address}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain.write_bytes(private + made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        return chain

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


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
