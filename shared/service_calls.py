"""Calls of the gateway's own to a service, which no client makes.

The gateway proves them with the key that signs rights, whose public half every service fetches. The
audience differs from that of a right, so that no assertion of a client's call can be shown here.
"""

from typing import Annotated

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Depends, Request
from httpx import AsyncClient

from shared.auth import RIGHTS_ISSUER, KeySet, Verifier, bearer
from shared.ed25519 import thumbprint
from shared.settings import ServiceSettings

VALID_SECONDS = 30


def service_call_audience(service: str) -> str:
    return f"{service}/internal"


def sign_service_call(key: Ed25519PrivateKey, service: str, *, now: float) -> str:
    """Return the value of the header `Authorization` of a call to `service` at the time `now`."""
    claims = {
        "iss": RIGHTS_ISSUER,
        "sub": RIGHTS_ISSUER,
        "aud": service_call_audience(service),
        "iat": int(now),
        "exp": int(now) + VALID_SECONDS,
    }
    signed = jwt.encode(claims, key, "EdDSA", {"kid": thumbprint(key.public_key())})
    return f"Bearer {signed}"


def make_service_call_verifier(settings: ServiceSettings, http: AsyncClient) -> Verifier:
    """To be kept in `app.state.service_calls`."""
    keys = KeySet(http, f"{settings.gateway_url}/.well-known/right-keys.json")
    return Verifier(keys, issuer=RIGHTS_ISSUER, audience=service_call_audience(settings.name))


async def _require_gateway(request: Request) -> None:
    verifier: Verifier = request.app.state.service_calls
    await verifier.claims(bearer(request.headers.get("Authorization")))


# Refuses every caller but the gateway itself.
GatewayAlone = Annotated[None, Depends(_require_gateway)]
