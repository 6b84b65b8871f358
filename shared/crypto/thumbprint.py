"""Thumbprints of JSON Web Keys (RFC 7638)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Final

import orjson

# The members that identify a key (RFC 7638 §3.2; RFC 8037 §2 for OKP), by key type.
IDENTIFYING_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
)


def compute_thumbprint(jwk: Mapping[str, str]) -> str:
    """Return the SHA-256 thumbprint of a public key, in base64url without padding."""
    members = {name: jwk[name] for name in IDENTIFYING_MEMBERS[jwk["kty"]]}
    digest = sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
