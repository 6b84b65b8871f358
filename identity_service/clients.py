"""How a client proves who it is: a signed assertion (RFC 7523), in the sandbox also a secret."""

import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.models import Client
from identity_service.problems import ClientNotProven

SKEW_SECONDS = 30
LONGEST_ASSERTION_SECONDS = 300

_WORD = re.compile(r"[!-~]{1,200}")
_NOT_HELD = "The client is unknown or no longer active, or its secret is wrong."


def secret_digest(secret: str) -> str:
    """SHA-256, hex. A secret is 256 random bits: no guessing, so no hash made slow against it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def require_secret(client: Client | None, secret: str) -> Client:
    """Raises ClientNotProven, in the same words whatever is wrong."""
    digest = client.secret_digest if client and client.active else None
    if client is None or not hmac.compare_digest(secret_digest(secret), digest or ""):
        raise ClientNotProven(_NOT_HELD)
    return client


async def find_client(session: AsyncSession, client_id: str) -> Client | None:
    """None also for what can be no id, which the database might not even take."""
    return await store.get_client(session, client_id) if _WORD.fullmatch(client_id) else None


async def require_assertion(
    session: AsyncSession, assertion: str, *, audiences: Sequence[str]
) -> Client:
    """The client that signed it; raises ClientNotProven. Each assertion is good once."""
    client_id, kid = _claimed(assertion)
    client = await find_client(session, client_id)
    key = await store.get_client_key(session, client_id, kid) if client else None
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
    if not isinstance(client_id, str) or not (isinstance(kid, str) and _WORD.fullmatch(kid)):
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
    if not _WORD.fullmatch(claims["jti"]):
        raise ClientNotProven("jti has 1 to 200 characters, printable ones of ASCII.")
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
