"""Sign the assertion of a right for an upstream service, with the key of the gateway."""

import math
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.access.right_in_force import EffectiveRight
from shared.crypto.ed25519 import build_key_set, compute_key_id
from shared.web.calls.auth import RIGHTS_ISSUER

ASSERTED_S = 60
# A cached assertion is not reused when it expires sooner than this.
LEFT_S = 10


class RightsSigner:
    """Sign assertions of rights (EdDSA); the key id is the thumbprint of RFC 7638."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.kid = compute_key_id(key.public_key())
        self.key_set = build_key_set([key.public_key()])

    def sign_right_assertion(
        self, right: EffectiveRight, *, client: str, operation: str, audience: str, now: float
    ) -> str:
        """Return the signed assertion of `right`, cached for `ASSERTED_S - LEFT_S`.

        `now` is in Unix seconds.
        """
        # A service refuses an assertion from the future, signed before the clock was set back.
        if right.signed_at <= now < right.signed_until:
            return right.signed
        # An assertion expires with its grant; the claim is rounded up to a whole second.
        expires = min(now + ASSERTED_S, right.ends)
        claims: dict[str, Any] = {
            "iss": RIGHTS_ISSUER,
            "aud": audience,
            "sub": client,
            "operation": operation,
            "grants": right.grants,
            **_serialise_limits(right),
            "iat": int(now),
            "exp": math.ceil(expires),
        }
        if right.others:
            claims["others"] = [_serialise_limits(other) for other in right.others]
        right.signed = jwt.encode(claims, self._key, "EdDSA", {"kid": self.kid})
        right.signed_at, right.signed_until = now, expires - LEFT_S
        return right.signed


def _serialise_limits(right: EffectiveRight) -> dict[str, list[str] | None]:
    return {
        "procedures": _sort_codes(right.procedures),
        "fields": _sort_codes(right.fields),
        "agencies": _sort_codes(right.agencies),
    }


def _sort_codes(codes: frozenset[str] | None) -> list[str] | None:
    return None if codes is None else sorted(codes)
