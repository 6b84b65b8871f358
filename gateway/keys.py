"""The gateway's own keys: one signs rights, one seals the ledger."""

import math
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import OKPAlgorithm
from pydantic import SecretStr

from gateway.ledger.seals import key_id, public_pem
from gateway.rights import RightInForce
from shared.auth import RIGHTS_ISSUER

ASSERTED_SECONDS = 60
# A cached assertion is not handed out when it has less than this to live.
LEFT_SECONDS = 10

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class KeyUnfitError(ValueError):
    """A configured key is not an Ed25519 key in PEM; the text says which."""


def read_private_key(name: str, pem: SecretStr) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.get_secret_value().encode(), password=None)
    except ValueError:
        raise KeyUnfitError(f"{name} is not a private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnfitError(f"{name} is not an Ed25519 key")
    return key


def ledger_keys(key: Ed25519PublicKey, retired: str) -> dict[str, Ed25519PublicKey]:
    """The trusted ones by key id: the present one, and the PEM texts of those before."""
    keys = [key]
    for pem in _PEM.findall(retired):
        old = load_pem_public_key(pem.encode())
        if not isinstance(old, Ed25519PublicKey):
            raise KeyUnfitError("ledger_keys_retired holds a key that is not Ed25519")
        keys.append(old)
    return {key_id(each): each for each in keys}


def ledger_key_set(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """As JWKS; `pem` beside, because that is what openssl reads."""
    return {
        "keys": [
            _jwk(key) | {"kid": kid, "pem": public_pem(key).decode()} for kid, key in keys.items()
        ]
    }


class RightsSigner:
    """Asserts rights to the services behind (EdDSA); its key id is the thumbprint of RFC 7638."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        jwk = _jwk(key.public_key())
        named = {name: jwk[name] for name in ("crv", "kty", "x")}
        digest = sha256(orjson.dumps(named, option=orjson.OPT_SORT_KEYS)).digest()
        self.kid = urlsafe_b64encode(digest).decode().rstrip("=")
        self.key_set = {"keys": [jwk | {"kid": self.kid}]}

    def assertion(
        self, right: RightInForce, *, client: str, operation: str, audience: str, now: float
    ) -> str:
        """Signed at most once in `ASSERTED_SECONDS - LEFT_SECONDS`: the right remembers it."""
        # Not what a clock signed that was ahead and has been set back: no service believes it yet.
        if right.signed_at <= now < right.signed_until:
            return right.signed
        # A grant that ends sooner ends the assertion too, rounded up to the second of its claim.
        expires = min(now + ASSERTED_SECONDS, right.ends)
        claims = {
            "iss": RIGHTS_ISSUER,
            "aud": audience,
            "sub": client,
            "operation": operation,
            "grants": right.grants,
            "procedures": _listed(right.procedures),
            "fields": _listed(right.fields),
            "agencies": _listed(right.agencies),
            "iat": int(now),
            "exp": math.ceil(expires),
        }
        right.signed = jwt.encode(claims, self._key, "EdDSA", {"kid": self.kid})
        right.signed_at, right.signed_until = now, expires - LEFT_SECONDS
        return right.signed


def _jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    return OKPAlgorithm.to_jwk(key, as_dict=True) | {"use": "sig", "alg": "EdDSA"}


def _listed(codes: frozenset[str] | None) -> list[str] | None:
    return None if codes is None else sorted(codes)
