"""Check and name the public keys of clients, as JSON Web Keys (RFC 7517)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from pydantic import AfterValidator, RootModel, WithJsonSchema

from identity_service.clients.key_strength import MAX_RSA_BITS, MIN_RSA_BITS, find_weakness
from shared.codes.persons.personal_numbers import refuse_personal_number
from shared.crypto.thumbprint import IDENTIFYING_MEMBERS, compute_thumbprint
from shared.texts.translatable import Translatable

# The private halves of these four were discarded; the example keys of an RFC are public.
EXAMPLE = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "GfFyNGnk2oTFOgB2MsHflQ2KVn9iKrJYJedS-2cBl5c",
    "kid": "signing-2026",
}
_DUMMY_ED25519 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "k-6sNHl3wfuFVO-vwKVtmU9DVXorC-7yha2tHtXQMGs",
}
_DUMMY_RSA = {
    "kty": "RSA",
    "n": "s-T5KkXjCf3vDpYHS2UBNL7inR7svlqYpXpgz50KMZ0mba3M0uXR9apIDmEFfwUdl-IFPs8NaRCU4Asl7Gymee"
    "ZNOw4QymghwmGBw_3sIEPnXncNj6LTM1X8rCCQioabSXw6dtijgGud1FGZaqVAPd_EwwnT_O5eQc4knwxc780UDK-v"
    "4RHAa7PuvbB_4Ajw_urvxFs9C10kQskf10120Q-X1NFDf4HoV54BuPDPjS-_1U6-bMxW0G3MVREbJqH_WJoTX-LU2F"
    "eiVsIlb48XnpGC6xU866bGpuZMMi8-dXaTfDBB23U0DtYDNzsQzw-SMAu1OxOJyTATr1fgoKjLjQ",
    "e": "AQAB",
}
# Used where a client is unknown, so that its refusal takes as long as that of a known one.
DUMMY_KEYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ES256": {
            "kty": "EC",
            "crv": "P-256",
            "x": "L9ZLCe-qkQYIe_hcJQRhptZJndah3iikb8dE3JWd_C0",
            "y": "-eFmXFetdmTWzpgRux9dbO0MKI9okgHKsJb_WtFepdU",
            "alg": "ES256",
        },
        "Ed25519": _DUMMY_ED25519 | {"alg": "Ed25519"},
        "EdDSA": _DUMMY_ED25519 | {"alg": "EdDSA"},
        "PS256": _DUMMY_RSA | {"alg": "PS256"},
        "RS256": _DUMMY_RSA | {"alg": "RS256"},
    }
)
SIGNING_ALGORITHMS = tuple(DUMMY_KEYS)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# The algorithms that fit a key of each type. RFC 9864 names EdDSA with Ed25519 after its curve.
ALGORITHMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"EC": ("ES256",), "OKP": ("EdDSA", "Ed25519"), "RSA": ("PS256", "RS256")}
)
_KINDS = Translatable("kty must be EC (P-256), OKP (Ed25519) or RSA (2048 to 4096 bits)")
_HAS_LEFT = Translatable(
    "this is a private or shared key, which has now left your system: make a new pair and"
    " register its public half only"
)
_NUMBERS = frozenset({"n", "e", "x", "y"})
_MAX_MEMBER_CHARACTERS = MAX_RSA_BITS // 6 + 2  # in base64url
_MAX_EXPONENT_CHARACTERS = 11  # 64 bits
_CACHED_KEYS = 1_000
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
KEY_ID = r"^[A-Za-z0-9._~-]{1,100}$"  # part of a path
_KID = re.compile(KEY_ID)


# The last character of unpadded base64url has unused bits, which must be zero.
_LAST_OF_TWO, _LAST_OF_THREE = "[AQgw]", "[AEIMQUYcgkosw048]"


def _build_number_schema(min_characters: int, max_characters: int) -> dict[str, Any]:
    sign = "[A-Za-z0-9_-]"
    end = f"{sign}{_LAST_OF_TWO}|{sign}{{2}}{_LAST_OF_THREE}"
    return {
        "type": "string",
        "minLength": min_characters,
        "maxLength": max_characters,
        "pattern": f"^(?:{sign}{{4}})*(?:{end})?$",
    }


def _build_jwk_schema(kind: str, **members: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["kty", *members],
        "properties": {
            "kty": {"type": "string", "const": kind},
            **members,
            "alg": {"type": "string", "enum": list(ALGORITHMS[kind])},
            "kid": {"type": "string", "pattern": KEY_ID},
        },
        "propertyNames": {"not": {"enum": sorted(_PRIVATE)}},
    }


_COORDINATE = {"type": "string", "pattern": f"^[A-Za-z0-9_-]{{42}}{_LAST_OF_THREE}$"}
# No pattern can require that a point lies on its curve, or that a modulus has large factors.
JWK_SCHEMAS = [
    _build_jwk_schema("EC", crv={"type": "string", "const": "P-256"}, x=_COORDINATE, y=_COORDINATE),
    _build_jwk_schema("OKP", crv={"type": "string", "const": "Ed25519"}, x=_COORDINATE),
    _build_jwk_schema(
        "RSA",
        n=_build_number_schema(MIN_RSA_BITS // 6 + 1, _MAX_MEMBER_CHARACTERS),
        e=_build_number_schema(len("AQAB"), _MAX_EXPONENT_CHARACTERS),
    ),
]


def check_public_jwk(jwk: Mapping[str, object]) -> dict[str, str]:
    """Return the members to store: the public ones, `alg` if given, and `kid`, else the thumbprint.

    Raise ValueError, which says how to correct the key and never repeats it.
    """
    if _PRIVATE & jwk.keys():
        raise ValueError(_HAS_LEFT)
    key_type = jwk.get("kty")
    if not isinstance(key_type, str) or key_type not in IDENTIFYING_MEMBERS:
        raise ValueError(_KINDS)
    members = {name: jwk.get(name) for name in IDENTIFYING_MEMBERS[key_type]}
    texts = {name: part for name, part in members.items() if isinstance(part, str)}
    if len(texts) < len(members):
        raise ValueError(
            Translatable(
                "a key of type {key_type} needs the members {members}, as text",
                key_type=key_type,
                members=", ".join(members),
            )
        )
    algorithms = ALGORITHMS[key_type]
    if (algorithm := jwk.get("alg", algorithms[0])) not in algorithms:
        raise ValueError(
            Translatable(
                "alg of such a key must be {algorithms}, or left out",
                algorithms=_name_choice(*algorithms),
            )
        )
    read_strong_key(texts)
    kid = jwk.get("kid", compute_thumbprint(texts))
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ValueError(
            Translatable("kid must be a text of 1 to 100 letters, digits, '.', '_', '~' and '-'")
        )
    refuse_personal_number(kid)
    return texts | {"kid": kid} | ({"alg": str(algorithm)} if "alg" in jwk else {})


def _name_choice(first: str, second: str | None = None) -> str:
    return Translatable("{first} or {second}", first=first, second=second) if second else first


def read_public_key(text: str) -> dict[str, str]:
    """Return the key of a file, a JWK or PEM, as `check_public_jwk` does."""
    if text.lstrip().startswith("-----BEGIN"):
        return check_public_jwk(_read_pem(text))
    match orjson.loads(text):
        case dict() as jwk:
            return check_public_jwk(jwk)
    raise ValueError(Translatable("give one JSON Web Key, which is an object with the member kty"))


def _read_pem(text: str) -> dict[str, object]:
    if "PRIVATE KEY-----" in text:
        raise ValueError(_HAS_LEFT)
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            Translatable("this PEM is no public key: write one with `openssl pkey -pubout`")
        ) from None
    match key:
        case EllipticCurvePublicKey():
            return dict(ECAlgorithm.to_jwk(key, as_dict=True))
        case Ed25519PublicKey():
            return dict(OKPAlgorithm.to_jwk(key, as_dict=True))
        case RSAPublicKey():
            return dict(RSAAlgorithm.to_jwk(key, as_dict=True))
    raise ValueError(_KINDS)


def _is_canonical(part: str) -> bool:
    """Return whether no other text encodes the same bytes, so that a key has one thumbprint."""
    if len(part) > _MAX_MEMBER_CHARACTERS or not _BASE64URL.fullmatch(part) or len(part) % 4 == 1:
        return False
    decoded = jwt.utils.base64url_decode(part)
    return jwt.utils.base64url_encode(decoded).decode() == part


class KeyTooWeakError(ValueError):
    """Report a key that is too weak to prove anything; the text never repeats the key."""


PublicKey = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey


def read_strong_key(jwk: Mapping[str, str]) -> PublicKey:
    """Return the key of stored members; raise KeyTooWeakError, also when a stored key is used."""
    numbers = {name: part for name, part in jwk.items() if name in IDENTIFYING_MEMBERS[jwk["kty"]]}
    return _read_strong_key(tuple(sorted(numbers.items())))


@lru_cache(maxsize=_CACHED_KEYS)
def _read_strong_key(members: tuple[tuple[str, str], ...]) -> PublicKey:
    for name, part in members:
        if name in _NUMBERS and not _is_canonical(part):
            raise KeyTooWeakError(
                Translatable(
                    "the members do not make a key: {name} must be base64url without padding, of "
                    "at most {count} characters",
                    name=name,
                    count=_MAX_MEMBER_CHARACTERS,
                )
            )
    try:
        key: PublicKey = jwt.PyJWK(dict(members)).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise KeyTooWeakError(
            Translatable("the members do not make a key: are they base64url?")
        ) from None
    if weakness := find_weakness(key):
        raise KeyTooWeakError(
            Translatable(
                "the members do not make a key that proves anything: {weakness}", weakness=weakness
            )
        )
    return key


class PublicJwk(RootModel[dict[str, Any]]):
    """A public key (RFC 7517) is EC P-256, OKP Ed25519 or RSA; `kid` defaults to its thumbprint.

    It verifies each algorithm that fits its type; the `alg` of an RSA key leaves that one alone.
    """

    root: Annotated[
        dict[str, Any],
        AfterValidator(check_public_jwk),
        WithJsonSchema({"oneOf": JWK_SCHEMAS, "examples": [EXAMPLE]}),
    ]
