"""Public keys of clients as JSON Web Keys (RFC 7517): what may be registered, and their names."""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# The members that make the key what it is (RFC 7638 §3.2), by key type.
_MEMBERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
)
# RFC 8037, appendix A.2.
EXAMPLE = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "kid": "signing-2026",
}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# The first is taken where the key names none.
_ALGORITHMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"EC": ("ES256",), "OKP": ("EdDSA",), "RSA": ("PS256", "RS256")}
)
_SMALLEST_RSA_BITS = 2048
_KID = re.compile(r"[A-Za-z0-9._~-]{1,100}")  # it stands in a path


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638, SHA-256, base64url without padding: a name that two keys never share."""
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}
    digest = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    return jwt.utils.base64url_encode(digest).decode()


def checked_public_jwk(jwk: Mapping[str, object]) -> dict[str, str]:
    """What of it is kept: the public members, `kid` (its own, or the thumbprint) and `alg`.

    ValueError says what is wrong, and never repeats the key.
    """
    if _PRIVATE & jwk.keys():
        raise ValueError(
            "this is a private or shared key, which has now left your system: make a new pair and"
            " register its public half only"
        )
    key_type = jwk.get("kty")
    if not isinstance(key_type, str) or key_type not in _MEMBERS:
        raise ValueError("kty is EC (P-256), OKP (Ed25519) or RSA (2048 bits at least)")
    members = {name: jwk.get(name) for name in _MEMBERS[key_type]}
    kept = {name: part for name, part in members.items() if isinstance(part, str)}
    if len(kept) < len(members):
        raise ValueError(f"a key of type {key_type} has the members {', '.join(members)}, as text")
    algorithms = _ALGORITHMS[key_type]
    if (algorithm := jwk.get("alg", algorithms[0])) not in algorithms:
        raise ValueError(f"alg of such a key is {' or '.join(algorithms)}")
    _require_strength(kept, str(algorithm))
    kid = jwk.get("kid", thumbprint(kept))
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ValueError("kid is a text of 1 to 100 letters, digits, '.', '_', '~' and '-'")
    return kept | {"kid": kid, "alg": str(algorithm)}


def read_public_jwk(text: str) -> dict[str, str]:
    """As `checked_public_jwk`, of the text of a file."""
    match orjson.loads(text):
        case dict() as jwk:
            return checked_public_jwk(jwk)
    raise ValueError("this is not one JSON Web Key, which is an object with the member kty")


def _require_strength(jwk: Mapping[str, str], algorithm: str) -> None:
    try:
        key = jwt.PyJWK(dict(jwk), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ValueError("the members do not make a key: are they base64url?") from None
    match key:
        case EllipticCurvePublicKey() if key.curve.name == "secp256r1":
            return
        case RSAPublicKey() if key.key_size >= _SMALLEST_RSA_BITS:
            return
        case Ed25519PublicKey():
            return
    raise ValueError("the key is too weak or of another curve: P-256, Ed25519 or RSA of 2048 bits")
