"""How a client asks for a token, in the words of the tests."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response

from identity_service.sandbox.clients import read_secrets
from identity_service.settings import Settings
from shared.runtime.app import AUDIENCE
from shared.web.calls.auth import KeySet, Verifier
from tests.identity_service.calls import Identity

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SYSTEM = "hospital-system"
KEY = Ed25519PrivateKey.generate()


def assertion(key: Any = KEY, *, headers: Mapping[str, Any] | None = None, **over: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": SYSTEM,
        "sub": SYSTEM,
        "aud": "https://lienthong.local",
        "exp": now + 60,
        "jti": uuid4().hex,
    }
    kept = {name: claim for name, claim in (claims | over).items() if claim is not None}
    algorithm = "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"
    return jwt.encode(kept, key, algorithm, {"kid": "first"} | dict(headers or {}))


async def ask(identity: Identity, form: Mapping[str, str], **how: Any) -> Response:
    return await identity.http.post("/oauth/token", data=dict(form), **how)


async def ask_signed(identity: Identity, signed: str, **over: str) -> Response:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": signed,
    }
    return await ask(identity, form | over)


def secret_form(settings: Settings, client: str) -> dict[str, str]:
    assert settings.sandbox_file
    secret = read_secrets(settings.sandbox_file)[client]
    return {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}


def refused(response: Response, error: str, status: int = 401) -> str:
    assert response.status_code == status
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["error"] == error
    assert response.json()["trace_id"] == response.headers["X-Trace-Id"]
    description: str = response.json()["error_description"]
    return description


async def verified(identity: Identity, token: str) -> dict[str, Any]:
    """As any service of the mesh checks it: by the published keys."""
    keys = KeySet(identity.http, "/.well-known/jwks.json")
    return await Verifier(keys, issuer="https://lienthong.local", audience=AUDIENCE).claims(token)
