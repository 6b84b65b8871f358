"""Ed25519 keys: read from PEM, published as JSON Web Keys (RFC 7517, RFC 8037)."""

import re
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import OKPAlgorithm
from pydantic import SecretStr

from shared.crypto.thumbprint import compute_thumbprint

_PUBLIC_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class KeyUnfitError(ValueError):
    """A configured key is not an Ed25519 key in PEM; the text says which."""


def read_private_key(name: str, pem: SecretStr) -> Ed25519PrivateKey:
    """Raise KeyUnfitError that names the setting `name`."""
    try:
        key = load_pem_private_key(pem.get_secret_value().encode(), password=None)
    except ValueError:
        raise KeyUnfitError(f"{name} is not a private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnfitError(f"{name} is not an Ed25519 key")
    return key


def read_public_keys(name: str, pems: str) -> list[Ed25519PublicKey]:
    """Read public keys in PEM, one after the other; raise KeyUnfitError that names `name`."""
    keys = []
    for pem in _PUBLIC_PEM.findall(pems):
        try:
            key = load_pem_public_key(pem.encode())
        except ValueError:
            raise KeyUnfitError(f"{name} holds a text that is not a public key in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyUnfitError(f"{name} holds a key that is not Ed25519")
        keys.append(key)
    if not keys and pems.strip():
        raise KeyUnfitError(f"{name} holds no public key in PEM")
    return keys


def compute_key_id(key: Ed25519PublicKey) -> str:
    """Return the thumbprint of the key: a key id that two keys never share."""
    return compute_thumbprint(OKPAlgorithm.to_jwk(key, as_dict=True))


def build_public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    return OKPAlgorithm.to_jwk(key, as_dict=True) | {"use": "sig", "alg": "EdDSA"}


def build_key_set(keys: Iterable[Ed25519PublicKey]) -> dict[str, Any]:
    """Return the keys as JWKS, each under its thumbprint."""
    return {"keys": [build_public_jwk(key) | {"kid": compute_key_id(key)} for key in keys]}
