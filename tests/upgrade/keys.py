"""The keys of the installations of all states: data is read with the keys that wrote it."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def _make_digest(name: str) -> bytes:
    return sha256(f"the {name} of the tests of upgrades, which protects nothing".encode()).digest()


def _make_signing_key(name: str) -> str:
    key = Ed25519PrivateKey.from_private_bytes(_make_digest(name))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _list_common_keys(service: str) -> dict[str, object]:
    return {
        "digest_key": _make_digest("digest key").hex(),
        "event_key": _make_signing_key(f"event key of {service}"),
    }


_PERSON_HASH_KEY = _make_digest("person hash key").hex()
KEYS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "identity": {
            **_list_common_keys("identity"),
            "person_hash_key": _PERSON_HASH_KEY,
            "key_encryption_key": urlsafe_b64encode(_make_digest("key encryption key")).decode(),
        },
        "dossier": {**_list_common_keys("dossier"), "person_hash_key": _PERSON_HASH_KEY},
        "sync": _list_common_keys("sync"),
        "gateway": {
            **_list_common_keys("gateway"),
            "rights_key": _make_signing_key("rights key"),
            "ledger_key": _make_signing_key("ledger key"),
        },
    }
)
