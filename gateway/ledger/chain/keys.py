"""The public keys that prove the seals of the ledger."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.crypto.ed25519 import build_public_jwk, read_public_keys


def ledger_keys(key: Ed25519PublicKey, retired: str) -> dict[str, Ed25519PublicKey]:
    """The trusted ones by key id: the present one, and the PEM texts of those before."""
    keys = [key, *read_public_keys("ledger_keys_retired", retired)]
    return {key_id(each): each for each in keys}


def ledger_key_set(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """As JWKS; `pem` beside, because that is what openssl reads."""
    return {
        "keys": [
            build_public_jwk(key) | {"kid": kid, "pem": public_pem(key).decode()}
            for kid, key in keys.items()
        ]
    }


def public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the public key in DER."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()[:16]
