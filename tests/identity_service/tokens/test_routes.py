"""The metadata of the token endpoint is what RFC 8414 asks of a server of this kind."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.identity_service.calls import Identity

ISSUER = "https://lienthong.local"
Document = dict[str, Any]
# RFC 8414 §2 and §3, RFC 9700 §2.1.2: the sentence, and the test of the document.
REQUIREMENTS: dict[str, Callable[[Document], bool]] = {
    "issuer is REQUIRED, an https URL without query or fragment": lambda d: (
        d["issuer"].startswith("https://") and not {"?", "#"} & set(d["issuer"])
    ),
    "the issuer is the URL into which the well-known path was put": lambda d: d["issuer"] == ISSUER,
    "authorization_endpoint is REQUIRED unless no grant type uses it": lambda d: (
        "authorization_endpoint" in d
        or not {"authorization_code", "implicit"} & set(d["grant_types_supported"])
    ),
    "token_endpoint is REQUIRED unless only implicit is supported": lambda d: (
        d["token_endpoint"] == f"{ISSUER}/oauth/token"
    ),
    "jwks_uri is an https URL": lambda d: d["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json",
    "response_types_supported is REQUIRED": lambda d: "response_types_supported" in d,
    "claims with zero elements MUST be omitted": lambda d: all(d.values()),
    "grant_types_supported, omitted, would mean code and implicit": lambda d: (
        d["grant_types_supported"] == ["client_credentials"]
    ),
    "implicit grants SHOULD NOT be offered": lambda d: (
        not any("token" in each for each in d["response_types_supported"])
    ),
    "no response type is told that needs an endpoint that is not there": lambda d: (
        d["response_types_supported"] == ["none"]
    ),
    "signing algorithms MUST be present with private_key_jwt": lambda d: bool(
        d["token_endpoint_auth_signing_alg_values_supported"]
    ),
    "the signing algorithm none MUST NOT be used": lambda d: (
        "none" not in d["token_endpoint_auth_signing_alg_values_supported"]
    ),
    "claims that return multiple values are JSON arrays": lambda d: all(
        isinstance(value, list) for name, value in d.items() if name.endswith("_supported")
    ),
}


@pytest.mark.parametrize("requirement", REQUIREMENTS)
async def test_metadata_meets(identity: Identity, requirement: str) -> None:
    answer = await identity.http.get("/.well-known/oauth-authorization-server")
    assert answer.headers["Content-Type"] == "application/json"
    assert REQUIREMENTS[requirement](answer.json())
