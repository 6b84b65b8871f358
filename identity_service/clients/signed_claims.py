"""JWTs that clients sign: read strictly, so that claims of any shape are refused, not a fault."""

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
MAX_INSTANT = 2**40  # seconds since 1970, far beyond any clock
WORD = r"^[!-~]{1,200}$"
NOT_KNOWN = "The client is unknown or no longer active, or has no key with the assertion's kid."


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a finite number is wanted")
    return value


# RFC 7519 §2: a number, whole or not; a truth value or text is none.
NumericDate = Annotated[int | float, Field(ge=0, le=MAX_INSTANT), AfterValidator(_finite)]
Audience = str | Annotated[list[str], Field(min_length=1, max_length=10)]
TokenId = Annotated[str, Field(pattern=WORD)]


class Claims(BaseModel):
    """Base of the claims of one kind of JWT; members that nobody reads are left alone."""

    model_config = ConfigDict(frozen=True, strict=True)


AnyClaims = TypeVar("AnyClaims", bound=Claims)


class _Header(Claims):
    alg: str
    kid: TokenId
    typ: str | None = None
    crit: None = None  # RFC 7515 §4.1.11: an extension that is not understood is refused


@dataclass(frozen=True)
class Signed(Generic[AnyClaims]):
    """A JWT whose shape holds and whose signature is still to be verified."""

    text: str
    algorithm: str
    kid: str
    type: str | None
    claims: AnyClaims


def read_signed(text: str, shape: type[AnyClaims]) -> Signed[AnyClaims]:
    """Raise ClientNotProven, which names the member that is missing or wrong."""
    if len(text) > MAX_SIGNED_CHARACTERS:
        raise ClientNotProven(f"A signed statement has at most {MAX_SIGNED_CHARACTERS} characters.")
    head, dot, rest = text.partition(".")
    payload, other_dot, _ = rest.partition(".")
    if not dot or not other_dot:
        raise ClientNotProven("It cannot be read; it is a JWT.")
    header = _read_part(head, _Header, "header")
    claims = _read_part(payload, shape, "claims set")
    return Signed(text, header.alg, header.kid, header.typ, claims)


Part = TypeVar("Part", bound=Claims)


def _read_part(encoded: str, shape: type[Part], part: str) -> Part:
    try:
        members = loads_strict(jwt.utils.base64url_decode(encoded.encode()))
    except (ValueError, UnicodeError):
        raise ClientNotProven("It cannot be read; it is a JWT.") from None
    try:
        return shape.model_validate(members)
    except ValidationError as error:
        names = sorted({str(each["loc"][0]) for each in error.errors() if each["loc"]})
        raise ClientNotProven(
            f"The {part} has no {', '.join(names)}, or has it in another form (RFC 7523 §3)."
            if names
            else f"The {part} is no JSON object."
        ) from None


def verify_signature(signed: Signed[AnyClaims], jwk: Mapping[str, str] | None) -> None:
    """Raise ClientNotProven; with no key, after the work that a key would have cost.

    An answer that came sooner would tell which clients there are.
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
            raise ClientNotProven("Its signature does not hold.") from None
    if not known:
        raise ClientNotProven(NOT_KNOWN)
    if key.algorithm_name != signed.algorithm:
        raise ClientNotProven(f"Its alg is that of the registered key, {key.algorithm_name}.")


def require_audience(audience: str | Sequence[str], ours: Sequence[str]) -> None:
    """RFC 7523bis: what is also meant for another server could be shown here by that server."""
    named = [audience] if isinstance(audience, str) else audience
    if not set(named) <= set(ours):
        raise ClientNotProven(
            f"Its aud is not this server alone: send the issuer, {ours[0]}, or the token endpoint."
        )
