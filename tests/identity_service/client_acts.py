"""Acts on clients, and how a client signs them, in the words of the tests."""

import time
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.crypto.thumbprint import compute_thumbprint
from tests.identity_service.calls import Identity

CLIENTS = "POST /identity/v1/clients"
READ = "GET /identity/v1/clients/{client_id}"
ADD_KEY = "POST /identity/v1/clients/{client_id}/keys"
REMOVE_KEY = "DELETE /identity/v1/clients/{client_id}/keys/{kid}"
DEACTIVATE = "POST /identity/v1/clients/{client_id}/deactivation"
REACTIVATE = "POST /identity/v1/clients/{client_id}/reactivation"
GIVE = "POST /identity/v1/grants"


def public(key: Ed25519PrivateKey, kid: str) -> dict[str, Any]:
    return OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid}


def proof(
    key: Ed25519PrivateKey,
    client: str,
    act: str,
    about: dict[str, Any] | None = None,
    /,
    **over: Any,
) -> str:
    """`about` is the JWK that is added or removed; `over` replaces claims, or `kid` and `typ`."""
    header = {"kid": over.pop("kid", "first"), "typ": over.pop("typ", "client-act+jwt")}
    claims: dict[str, Any] = {
        "sub": client,
        "aud": "https://lienthong.local",
        "act": act,
        "iat": int(time.time()),
        "jti": uuid4().hex,
    }
    claims |= {"jkt": compute_thumbprint(about)} if about else {}
    kept = {name: claim for name, claim in (claims | over).items() if claim is not None}
    return jwt.encode(kept, key, "EdDSA", header)


async def register_keyed(identity: Identity, **over: Any) -> tuple[str, Ed25519PrivateKey]:
    """A production client of G18 with the key `first`."""
    client, key = f"keyed-{uuid4().hex}", Ed25519PrivateKey.generate()
    made = {"client_id": client, "agency": "G18", "name": "x", "kind": "production"} | over
    assert (await identity.call(CLIENTS, json=made)).status_code == 201
    at = {"client_id": client}
    added = await identity.call_by_two(ADD_KEY, at=at, json=public(key, "first"))
    assert added.status_code == 201, added.text
    return client, key


async def kids(identity: Identity, client: str) -> list[str]:
    shown = (await identity.call(READ, at={"client_id": client})).json()["keys"]
    return sorted(key["kid"] for key in shown)
