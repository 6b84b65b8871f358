"""Read the JWTs that clients sign, strictly: malformed claims of any kind are refused."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import jwt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from identity_service.clients.jwk import DUMMY_KEYS, KeyTooWeakError, read_strong_key
from identity_service.clients.problems import ClientNotProven
from shared.web.bodies.strict_json import loads_strict

MAX_SIGNED_CHARACTERS = 12_000
# A request is checked by the time at which it came, and may wait so long for its body, a connection
# and a lock before it records its JWT as used.
MAX_REQUEST_S = 60
MAX_INSTANT = 2**40  # seconds since 1970, far beyond any clock
WORD = r"^[!-~]{1,200}$"
NOT_KNOWN = "The client is unknown or no longer active, or has no key with the assertion's kid."


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
    alg: str
    kid: TokenId
    typ: str | None = None
    crit: None = None  # RFC 7515 §4.1.11: an extension that is not understood is refused


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
        raise ClientNotProven(f"Send a JWT of at most {MAX_SIGNED_CHARACTERS} characters.")
    head, dot, rest = text.partition(".")
    payload, other_dot, _ = rest.partition(".")
    if not dot or not other_dot:
        raise ClientNotProven("It cannot be read; it is a JWT.")
    header = _read_part(head, _Header, "header")
    claims = _read_part(payload, shape, "claims set")
    return SignedJwt(text, header.alg, header.kid, header.typ, claims)


Part = TypeVar("Part", bound=Claims)


def _read_part(encoded: str, shape: type[Part], part: str) -> Part:
    try:
        members = loads_strict(jwt.utils.base64url_decode(encoded.encode()))
    except (ValueError, UnicodeError):
        raise ClientNotProven("It cannot be read; it is a JWT.") from None
    try:
        return shape.model_validate(members)
    except ValidationError as error:
        names = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise ClientNotProven(
            f"Correct {', '.join(names)} in the {part}: missing or malformed (RFC 7523 §3)."
            if names
            else f"Send a JSON object as the {part}."
        ) from None


def verify_signature(signed: SignedJwt[AnyClaims], jwk: Mapping[str, str] | None) -> None:
    """Raise ClientNotProven unless the key signed the JWT.

    Without a key a dummy key is verified: a faster refusal would reveal which clients exist.
    """
    known = jwk is not None
    jwk = jwk or DUMMY_KEYS.get(signed.algorithm) or DUMMY_KEYS["ES256"]
    try:
        key = read_strong_key(jwk)
        if key.algorithm_name == signed.algorithm:
            jwt.api_jws.decode(signed.text, key, algorithms=[key.algorithm_name])
    except KeyTooWeakError:
        raise ClientNotProven("The registered key is too weak; register another.") from None
    except jwt.PyJWTError:
        if known:
            raise ClientNotProven(
                "Its signature is invalid: sign it with the key that has this kid."
            ) from None
    if not known:
        raise ClientNotProven(NOT_KNOWN)
    if key.algorithm_name != signed.algorithm:
        raise ClientNotProven(f"Set its alg to that of the registered key, {key.algorithm_name}.")


def require_audience(audience: str | Sequence[str], ours: Sequence[str]) -> None:
    """Raise ClientNotProven unless the audience is this server alone (RFC 7523bis).

    Another server in the audience could replay the JWT here.
    """
    named = [audience] if isinstance(audience, str) else audience
    if not set(named) <= set(ours):
        raise ClientNotProven(
            f"Its aud is not this server alone: send the issuer, {ours[0]}, or the token endpoint."
        )
