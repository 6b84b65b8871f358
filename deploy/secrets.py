"""Make a folder of secrets for each service: `python -m deploy.secrets DIR [--stores]`.

An existing secret stays as it is. Production fills the same folders from its own vault.
"""

import secrets
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from deploy.services import SERVICES

PERSON_HASH_KEY_BYTES = DIGEST_KEY_BYTES = CALL_KEY_BYTES = 32


def ed25519_key() -> str:
    """PKCS #8 in PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def password() -> str:
    return secrets.token_urlsafe(32)


def person_hash_key() -> str:
    return secrets.token_hex(PERSON_HASH_KEY_BYTES)


def digest_key() -> str:
    return secrets.token_hex(DIGEST_KEY_BYTES)


def call_key() -> str:
    return secrets.token_hex(CALL_KEY_BYTES)


def key_encryption_key() -> str:
    return Fernet.generate_key().decode()


EACH: Mapping[str, Callable[[], str]] = {
    "database_password": password,
    "digest_key": digest_key,
    "event_key": ed25519_key,
    "kafka_password": password,
}
SECRETS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "gateway": {"rights_key": ed25519_key, "ledger_key": ed25519_key},
    "identity_service": {"key_encryption_key": key_encryption_key, "call_key": call_key},
    "dossier_service": {"call_key": call_key},
    "sync_service": {"call_key": call_key},
}
# These name a person by the same keyed hash.
HASHING_SERVICES = ("identity_service", "dossier_service")
# The gateway proves its calls to each of these by a key that only the two hold.
CALLED_SERVICES = ("identity_service", "dossier_service", "sync_service")


# The others are any text.
READERS: Mapping[Callable[[], str], Callable[[bytes], object]] = {
    ed25519_key: partial(load_pem_private_key, password=None),
    key_encryption_key: Fernet,
}


class BrokenSecretError(RuntimeError):
    """A secret is empty or cut off; the message names it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is empty or damaged: restore it from a copy, because the data that were stored"
            " with it cannot do without it."
        )


def make_secrets(directory: Path) -> None:
    """`directory`/<service>/<secret>, readable by the owner alone; raise BrokenSecretError."""
    _make_folder(directory)
    for service in SERVICES:
        _make_folder(directory / service)
        for name, make in {**EACH, **SECRETS[service]}.items():
            _write_once(directory / service / name, make)
    shared = directory / HASHING_SERVICES[0] / "person_hash_key"
    _write_once(shared, person_hash_key)
    for service in HASHING_SERVICES[1:]:
        _write_once(directory / service / "person_hash_key", shared.read_text)
    for service in CALLED_SERVICES:
        own = directory / service / "call_key"
        copy = directory / "gateway" / f"{SERVICES[service].short}_call_key"
        # One of the two was lost: with the other alone no call would be proved.
        if copy.exists() and copy.read_text() != own.read_text():
            copy.unlink()
        _write_once(copy, own.read_text)


# The broker itself, and the job that makes topics and gives rights.
BROKER, ADMINISTRATOR = "broker", "admin"


def make_store_secrets(directory: Path) -> None:
    """Write `kafka/jaas.conf` with the password of every principal, and those of administrators.

    The broker and Grafana have other user ids, and read their files by the group.
    """
    grafana = directory / "grafana"
    grafana.mkdir(mode=0o750, parents=True, exist_ok=True)
    _write_once(grafana / "admin_password", password)
    (grafana / "admin_password").chmod(0o640)
    _make_folder(directory / "topics")
    _write_once(directory / "topics" / "kafka_password", password)
    passwords = {BROKER: password(), ADMINISTRATOR: _read_password(directory / "topics")}
    passwords |= {service: _read_password(directory / service) for service in SERVICES}
    (directory / "kafka").mkdir(mode=0o750, parents=True, exist_ok=True)
    file = directory / "kafka" / "jaas.conf"
    file.touch(mode=0o640)
    file.write_text(jaas(passwords))


def _read_password(folder: Path) -> str:
    return (folder / "kafka_password").read_text().strip()


def jaas(passwords: Mapping[str, str]) -> str:
    """Return the file of users that the broker reads (SASL/PLAIN); it signs on as `BROKER`."""
    users = "".join(f'\n  user_{name}="{secret}"' for name, secret in sorted(passwords.items()))
    return (
        "KafkaServer {\n"
        "  org.apache.kafka.common.security.plain.PlainLoginModule required\n"
        f'  username="{BROKER}"\n  password="{passwords[BROKER]}"{users};\n}};\n'
    )


def _make_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write_once(path: Path, make: Callable[[], str]) -> None:
    if path.exists():
        _require_whole(path, READERS.get(make, bytes.decode))
        return
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.touch(mode=0o600)
    unfinished.write_text(make())
    unfinished.rename(path)


def _require_whole(path: Path, read: Callable[[bytes], object]) -> None:
    try:
        if not (content := path.read_bytes().strip()):
            raise BrokenSecretError(path)
        read(content)
    except ValueError:
        raise BrokenSecretError(path) from None


if __name__ == "__main__":
    try:
        make_secrets(Path(sys.argv[1]))
        if "--stores" in sys.argv:
            make_store_secrets(Path(sys.argv[1]))
    except BrokenSecretError as error:
        sys.exit(str(error))
