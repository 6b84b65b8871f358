"""Read the JWTs that clients sign, strictly: malformed claims of any kind are refused."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import jwt
from jwt.algorithms import OKPAlgorithm
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from identity_service.clients.jwk import (
    ALGORITHMS,
    DUMMY_KEYS,
    SIGNING_ALGORITHMS,
    KeyTooWeakError,
    read_strong_key,
)
from identity_service.clients.problems import ClientNotProven
from shared.texts.translatable import Translatable
from shared.web.bodies.strict_json import loads_strict

MAX_SIGNED_CHARACTERS = 12_000
# A request is checked by the time at which it came, and may wait so long for its body, a connection
# and a lock before it records its JWT as used.
MAX_REQUEST_S = 60
MAX_INSTANT = 2**40  # seconds since 1970, far beyond any clock
WORD = r"^[!-~]{1,200}$"
# One text, because each cause alone would reveal which clients and keys exist.
NOT_PROVEN = Translatable(
    "No active client of this id has a key of this kid that verifies the signature: check sub, kid"
    " and the private key, and that its public half is registered. A key of EC signs by ES256, of"
    " Ed25519 by EdDSA, of RSA by PS256 or RS256."
)
JWS = jwt.PyJWS()
JWS.register_algorithm("Ed25519", OKPAlgorithm())  # RFC 9864; the library has the older name alone
_NOT_READ = Translatable(
    "It cannot be read: send a signed JWT, header.claims.signature in base64url (RFC 7515)."
)


def _require_finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a finite number is wanted")
    return value


# RFC 7519 §2: an integer or a decimal number, neither a boolean nor text.
NumericDate = Annotated[int | float, Field(ge=0, le=MAX_INSTANT), AfterValidator(_require_finite)]
Audience = str | Annotated[list[str], Field(min_length=1, max_length=10)]
TokenId = Annotated[str, Field(pattern=WORD)]


class Claims(BaseModel):
    """Define the claims of one kind of JWT; unknown members are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)


AnyClaims = TypeVar("AnyClaims", bound=Claims)


class _Header(Claims):
    alg: str = Field(description=Translatable("the algorithm"))
    kid: TokenId = Field(description=Translatable("the kid with which the key is registered"))
    typ: str | None = Field(None, description=Translatable("the type, JWT"))
    # No extension is understood (RFC 7515).
    crit: None = Field(None, description=Translatable("leave it out"))


@dataclass(frozen=True)
class SignedJwt(Generic[AnyClaims]):
    """Hold a JWT whose shape was checked and whose signature is not verified yet."""

    text: str
    algorithm: str
    kid: str
    type: str | None
    claims: AnyClaims


def read_signed_jwt(text: str, shape: type[AnyClaims]) -> SignedJwt[AnyClaims]:
    """Return the parsed JWT; raise ClientNotProven with the names of missing or wrong members."""
    if len(text) > MAX_SIGNED_CHARACTERS:
        raise ClientNotProven(
            Translatable(
                "Send a JWT of at most {count} characters.",
                count=MAX_SIGNED_CHARACTERS,
            )
        )
    head, dot, rest = text.partition(".")
    payload, other_dot, _ = rest.partition(".")
    if not dot or not other_dot:
        raise ClientNotProven(_NOT_READ)
    header = _read_part(head, _Header, "header")
    if header.alg not in SIGNING_ALGORITHMS:
        raise ClientNotProven(
            Translatable(
                "Sign it by one of {algorithms}, set as alg.",
                algorithms=", ".join(SIGNING_ALGORITHMS),
            )
        )
    claims = _read_part(payload, shape, "claims set")
    return SignedJwt(text, header.alg, header.kid, header.typ, claims)


Part = TypeVar("Part", bound=Claims)


def _read_part(encoded: str, shape: type[Part], part: str) -> Part:
    try:
        members = loads_strict(jwt.utils.base64url_decode(encoded.encode()))
    except (ValueError, UnicodeError):
        raise ClientNotProven(_NOT_READ) from None
    try:
        return shape.model_validate(members)
    except ValidationError as error:
        names = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        hints = [
            Translatable(
                "{name} ({meaning})", name=name, meaning=shape.model_fields[name].description
            )
            for name in names
        ]
        raise ClientNotProven(
            Translatable(
                "Correct the {part}, in which these are missing or malformed: {hints}.",
                part=part,
                hints=Translatable.join_texts(hints, ", "),
            )
            if names
            else Translatable("Send a JSON object as the {part}.", part=part)
        ) from None


def verify_signature(signed: SignedJwt[AnyClaims], jwk: Mapping[str, str] | None) -> None:
    """Raise ClientNotProven unless the key signed the JWT.

    Without a key that fits, a dummy key is verified: a faster refusal would reveal which clients
    exist.
    """
    fits = jwk is not None and signed.algorithm in ALGORITHMS[jwk["kty"]]
    used = jwk if jwk and fits else DUMMY_KEYS[signed.algorithm]
    try:
        JWS.decode(signed.text, read_strong_key(used), algorithms=[signed.algorithm])
    except KeyTooWeakError:
        raise ClientNotProven(
            Translatable("The registered key is too weak; register another.")
        ) from None
    except jwt.PyJWTError:
        raise ClientNotProven(NOT_PROVEN) from None
    if not fits:
        raise ClientNotProven(NOT_PROVEN)
    if used["kty"] == "RSA" and used.get("alg", signed.algorithm) != signed.algorithm:
        raise ClientNotProven(
            Translatable(
                "Its alg is {algorithm}, and the key is registered for {registered} alone: sign by"
                " that, or register the key again, under another kid and without alg.",
                algorithm=signed.algorithm,
                registered=used["alg"],
            )
        )


def require_audience(audience: str | Sequence[str], ours: Sequence[str]) -> None:
    """Raise ClientNotProven unless the audience is this server alone (RFC 7523bis).

    Another server in the audience could replay the JWT here.
    """
    named = [audience] if isinstance(audience, str) else audience
    if not set(named) <= set(ours):
        raise ClientNotProven(
            Translatable(
                "Its aud is not this server alone: send the issuer, {issuer}, or the token"
                " endpoint, {issuer}/oauth/token.",
                issuer=ours[0],
            )
        )
