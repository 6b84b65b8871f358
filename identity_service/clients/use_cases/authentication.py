"""Authenticate a client by a signed assertion (RFC 7523) or, in the sandbox, by a secret."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository
from identity_service.clients.models import Client
from identity_service.clients.problems import ClientNotProven
from identity_service.clients.signed_claims import (
    MAX_REQUEST_S,
    NOT_PROVEN,
    Audience,
    Claims,
    NumericDate,
    SignedJwt,
    TokenId,
    read_signed_jwt,
    require_audience,
    verify_signature,
)
from shared.texts.translatable import Translatable

SKEW_S = 30
MAX_ASSERTION_LIFETIME_S = 300
# RFC 7523bis requires `client-authentication+jwt`; older libraries send `jwt` or no type.
ASSERTION_TYPES = frozenset({None, "jwt", "client-authentication+jwt"})

_WORD = re.compile(r"[!-~]{1,200}")
_NOT_HELD = Translatable("The client is unknown or no longer active, or its secret is wrong.")
_NO_DIGEST = "0" * 64  # has the length of a digest and belongs to no secret


@dataclass(frozen=True)
class ProvenClient:
    """Identify an authenticated client as its token names it."""

    client_id: str
    agency: str
    kind: str


class AssertionClaims(Claims):
    iss: str = Field(description=Translatable("the client id"))
    sub: str = Field(description=Translatable("the client id"))
    aud: Audience = Field(description=Translatable("the issuer or the token endpoint"))
    exp: NumericDate = Field(
        description=Translatable("a number of seconds since 1970, five minutes off at most")
    )
    jti: TokenId = Field(
        description=Translatable("1 to 200 letters, digits and signs of ASCII, new each time")
    )
    nbf: NumericDate | None = Field(
        None, description=Translatable("a number of seconds since 1970")
    )
    iat: NumericDate | None = Field(
        None, description=Translatable("a number of seconds since 1970")
    )


def hash_secret(secret: str) -> str:
    """Return the SHA-256 of a secret, in hex.

    A secret has 256 random bits: guessing is infeasible, so that no slow hash is needed.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


async def require_secret(session: AsyncSession, client_id: str, secret: str) -> ProvenClient:
    """Return the client; raise ClientNotProven, with one text and equal work for each cause."""
    # The database refuses some texts that cannot be an id.
    known_form = client_id if _WORD.fullmatch(client_id) else ""
    client = await repository.find_bare_client(session, known_form)
    digest = client.secret_digest if client and client.active else None
    held = hmac.compare_digest(hash_secret(secret), digest or _NO_DIGEST)
    if client is None or not held:
        raise ClientNotProven(_NOT_HELD)
    return _describe_client(client)


async def require_assertion(
    session: AsyncSession, assertion: str, *, audiences: Sequence[str], now: datetime
) -> ProvenClient:
    """Return the client that signed the assertion, which can be used once.

    Raise ClientNotProven. Claims are judged first, since they say the same of every client. An
    unknown client is refused after the same statements and the same verification as a known one.
    """
    signed = read_signed_jwt(assertion, AssertionClaims)
    _require_claims(signed, audiences, now)
    claims = signed.claims
    client_id = claims.sub if _WORD.fullmatch(claims.sub) else ""
    client, key = await repository.find_client_with_key(session, client_id, signed.kid)
    verify_signature(signed, key.jwk if client and client.active and key else None)
    expires_at = datetime.fromtimestamp(claims.exp + SKEW_S + MAX_REQUEST_S, UTC)
    if client is None:
        raise ClientNotProven(NOT_PROVEN)
    if not await repository.record_assertion(session, client_id, claims.jti, expires_at):
        raise ClientNotProven(
            Translatable("This jti was used before: sign anew, with a new jti, for each token.")
        )
    return _describe_client(client)


def _describe_client(client: Client) -> ProvenClient:
    return ProvenClient(client.client_id, client.agency, client.kind)


def _require_claims(
    signed: SignedJwt[AssertionClaims], audiences: Sequence[str], now: datetime
) -> None:
    claims, at = signed.claims, now.timestamp()
    kind = signed.type.lower().removeprefix("application/") if signed.type else None
    if kind not in ASSERTION_TYPES:
        raise ClientNotProven(
            Translatable("Set the assertion's typ to JWT or client-authentication+jwt.")
        )
    if claims.iss != claims.sub:
        raise ClientNotProven(
            Translatable("Set both iss and sub of the assertion to the client id.")
        )
    require_audience(claims.aud, audiences)
    # A clock that is ahead also sets exp too late, so the clock is checked first.
    if max(claims.nbf or 0, claims.iat or 0) > at + SKEW_S:
        raise ClientNotProven(
            Translatable(
                "The assertion is not valid yet: your clock is ahead of the server's; set it by "
                "the header Date of any response."
            )
        )
    if claims.exp <= at - SKEW_S:
        raise ClientNotProven(
            Translatable(
                "The assertion expired {count} seconds ago: sign one for each token, and set your"
                " clock by the header Date of any response.",
                count=round(at - claims.exp),
            )
        )
    if claims.exp > at + MAX_ASSERTION_LIFETIME_S + SKEW_S:
        raise ClientNotProven(
            Translatable(
                "Its exp is {count} seconds ahead; five minutes are the most ({most} seconds). Set"
                " exp yourself: some libraries set an hour.",
                count=round(claims.exp - at),
                most=MAX_ASSERTION_LIFETIME_S,
            )
        )
