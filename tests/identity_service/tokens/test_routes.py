"""The metadata of the token endpoint is what RFC 8414 asks of a server of this kind."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.identity_service.calls import Identity
from tests.identity_service.conftest import make_settings

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


METADATA = "/.well-known/oauth-authorization-server"
ALIAS = "https://mesh.example:8443"


@pytest.mark.parametrize(
    ("host", "issuer"),
    [
        ("lienthong.local", ISSUER),
        ("mesh.example:8443", ALIAS),
        ("MESH.example:8443", ALIAS),
        ("mesh.example", ISSUER),
        ("elsewhere.example", ISSUER),
        ("", ISSUER),
        (None, ISSUER),
    ],
)
async def test_metadata_names_the_address_of_the_list_that_was_called(
    identity: Identity, host: str | None, issuer: str
) -> None:
    headers = {} if host is None else {"X-Forwarded-Host": host}
    told = (await identity.http.get(METADATA, headers=headers)).json()
    assert told["issuer"] == issuer
    assert told["token_endpoint"] == f"{issuer}/oauth/token"
    assert told["jwks_uri"] == f"{issuer}/.well-known/jwks.json"


def test_gateway_at_a_loopback_address_is_called_by_name_too() -> None:
    settings = make_settings("postgresql+asyncpg://x", issuer="http://127.0.0.1:8000")
    assert settings.find_issuer("localhost:8000") == "http://localhost:8000"
    assert settings.find_issuer("localhost") == "http://127.0.0.1:8000"
    assert "http://localhost:8000/oauth/token" in settings.token_audiences


@pytest.mark.parametrize("issuer", ["http://127.0.0.10:8000", "http://127.0.0.1.example"])
def test_only_the_first_loopback_address_is_called_by_name(issuer: str) -> None:
    assert make_settings("postgresql+asyncpg://x", issuer=issuer).issuers[0] == issuer
    assert "localhost" not in str(make_settings("postgresql+asyncpg://x", issuer=issuer).issuers)


@pytest.mark.parametrize(
    "alias",
    [
        *(
            "mesh.example",
            "ftp://mesh.example",
            "http://",
            "http://:8000",
            "https://mesh.example:x",
        ),
        *("https://mesh.example/", "https://mesh.example/a", "https://mesh.example?a"),
        *("https://user:word@mesh.example", "https://@mesh.example", "https://mesh example"),
    ],
)
def test_alias_that_is_no_address_without_a_path_is_refused(alias: str) -> None:
    with pytest.raises(ValueError, match="without a path"):
        make_settings("postgresql+asyncpg://x", issuer_aliases=f"{ALIAS},{alias}")
