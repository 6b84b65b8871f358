"""Build and sign access tokens."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid4

import jwt

from identity_service.clients.use_cases.authentication import ProvenClient
from identity_service.tokens.signing_keys import ALGORITHM, Signer
from shared.runtime.app import AUDIENCE


def sign_access_token(
    client: ProvenClient, signer: Signer, *, issuer: str, now: datetime, lifetime: timedelta
) -> str:
    """Return a signed JWT (RFC 7519) with the client as `sub`, its agency and its kind."""
    claims: Mapping[str, object] = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": client.client_id,
        "agency": client.agency,
        "kind": client.kind,
        "iat": now,
        "exp": now + lifetime,
        "jti": uuid4().hex,
    }
    return jwt.encode(dict(claims), signer.key, ALGORITHM, {"kid": signer.kid})
