"""How a client proves who it is: a signed assertion (RFC 7523), in the sandbox also a secret."""

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.models import Client
from identity_service.problems import ClientNotProven

SKEW_SECONDS = 30
LONGEST_ASSERTION_SECONDS = 300
LONGEST_JTI = 200
HELD_SECONDS = 300.0
MOST_HELD = 1_000
# Each takes a core for some 50 ms and 64 MiB: more at once would only take them from the rest.
CHECKS_AT_ONCE = 2

_NOT_HELD = "The client is unknown or no longer active, or its secret is wrong."


class SecretCheck:
    """Checks secrets, and remembers a keyed digest of each that held for some minutes."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._digest_key = secrets.token_bytes(32)
        self._held: OrderedDict[bytes, float] = OrderedDict()
        self._turns = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def require(self, client: Client | None, secret: str) -> Client:
        """Raises ClientNotProven, in the same words whatever is wrong."""
        if client is None or not client.active or client.secret_hash is None:
            raise ClientNotProven(_NOT_HELD)
        # A new secret has a new hash: what the old one left here is then never found.
        text = f"{client.secret_hash}\0{secret}".encode()
        digest = hmac.digest(self._digest_key, text, "sha256")
        if self._held.get(digest, 0.0) < time.monotonic():
            async with self._turns:
                if not await asyncio.to_thread(self._holds, client.secret_hash, secret):
                    raise ClientNotProven(_NOT_HELD)
            self._remember(digest)
        return client

    def _holds(self, secret_hash: str, secret: str) -> bool:
        try:
            return self._hasher.verify(secret_hash, secret)
        except VerificationError:
            return False

    def _remember(self, digest: bytes) -> None:
        self._held[digest] = time.monotonic() + HELD_SECONDS
        if len(self._held) > MOST_HELD:
            self._held.popitem(last=False)


async def require_assertion(
    session: AsyncSession, assertion: str, *, audiences: Sequence[str]
) -> Client:
    """The client that signed it; raises ClientNotProven. Each assertion is good once."""
    client_id, kid = _claimed(assertion)
    client = await store.get_client(session, client_id)
    key = await store.get_client_key(session, client_id, kid)
    if client is None or not client.active or key is None:
        raise ClientNotProven(
            "The client is unknown or no longer active, or has no key with the assertion's kid."
        )
    claims = _verified(assertion, key.jwk, client_id, audiences)
    expires_at = datetime.fromtimestamp(claims["exp"] + SKEW_SECONDS, UTC)
    if not await store.use_assertion(session, client_id, claims["jti"], expires_at):
        raise ClientNotProven("This assertion was used before; sign a new one with a new jti.")
    return client


def _claimed(assertion: str) -> tuple[str, str]:
    try:
        unverified = jwt.decode_complete(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise ClientNotProven("The assertion cannot be read; it is a JWT.") from None
    client_id, kid = unverified["payload"].get("sub"), unverified["header"].get("kid")
    if not isinstance(client_id, str) or not isinstance(kid, str):
        raise ClientNotProven("The assertion names its client as sub and its key as kid.")
    return client_id, kid


def _verified(
    assertion: str, jwk: dict[str, str], client_id: str, audiences: Sequence[str]
) -> dict[str, Any]:
    try:
        claims = jwt.decode(
            assertion,
            jwt.PyJWK(jwk),
            algorithms=[jwk["alg"]],
            issuer=client_id,
            audience=audiences,
            leeway=SKEW_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "jti"]},
        )
    except jwt.InvalidTokenError as error:
        raise ClientNotProven(_why(error)) from None
    if claims["exp"] > time.time() + LONGEST_ASSERTION_SECONDS + SKEW_SECONDS:
        raise ClientNotProven("An assertion lives five minutes at most; set exp nearer.")
    if not 0 < len(claims["jti"]) <= LONGEST_JTI:
        raise ClientNotProven(f"jti has 1 to {LONGEST_JTI} characters.")
    return claims


def _why(error: jwt.InvalidTokenError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The assertion lacks {error.claim}."
    reasons = {
        jwt.ExpiredSignatureError: "The assertion has expired; sign a new one for each token.",
        jwt.ImmatureSignatureError: "The assertion is not valid yet; set your clock right.",
        jwt.InvalidAudienceError: "The assertion's aud is the issuer or the token endpoint.",
        jwt.InvalidIssuerError: "The assertion's iss is the client itself, as its sub.",
        jwt.InvalidSignatureError: "The assertion's signature does not hold.",
    }
    return reasons.get(type(error), "The assertion cannot be read; it is a JWT.")
