"""Identify and publish the public keys that verify the seals of the ledger."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.crypto.ed25519 import build_public_jwk, read_public_keys


def list_trusted_keys(present: Ed25519PublicKey, retired: str) -> dict[str, Ed25519PublicKey]:
    """Return the trusted keys by key id: the present key, and those of the PEM texts `retired`."""
    keys = [present, *read_public_keys("ledger_keys_retired", retired)]
    return {compute_key_id(key): key for key in keys}


def build_ledger_jwks(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """Return the keys as JWKS; the extra member `pem` is the form that openssl reads."""
    return {
        "keys": [
            build_public_jwk(key) | {"kid": kid, "pem": encode_public_pem(key).decode()}
            for kid, key in keys.items()
        ]
    }


def encode_public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def compute_key_id(key: Ed25519PublicKey) -> str:
    """Return the first 16 hex digits of the SHA-256 of the public key in DER."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()[:16]
