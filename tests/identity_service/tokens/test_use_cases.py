"""Who proves itself gets a token, and no other does; nothing but such a token is believed."""

import base64

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from identity_service.main import create_app
from identity_service.settings import Settings
from shared.runtime.app import AUDIENCE
from shared.web.calls.auth import Unauthenticated
from tests.identity_service.calls import Identity
from tests.identity_service.conftest import serving
from tests.identity_service.signing_in import JWT_BEARER, ask, refused, secret_form, verified
from tests.support.factories import TestAuthority
from tests.support.serving import calling


async def test_a_sandbox_secret_gets_a_token_by_form_and_by_header(identity: Identity) -> None:
    form = secret_form(identity.settings, "onestop-h26")
    answer = (await ask(identity, form)).json()
    claims = await verified(identity, answer["access_token"])
    assert (claims["sub"], claims["agency"], claims["kind"]) == ("onestop-h26", "H26", "sandbox")
    basic = base64.b64encode(f"onestop-h26:{form['client_secret']}".encode()).decode()
    response = await ask(
        identity,
        {"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert response.status_code == 200


async def test_secret_proves_nothing_outside_a_sandbox(
    settings: Settings, identity: Identity
) -> None:
    form = secret_form(settings, "onestop-h26")
    assert (await ask(identity, form)).status_code == 200
    basic = base64.b64encode(f"onestop-h26:{form['client_secret']}".encode()).decode()
    production = settings.model_copy(update={"sandbox": False})
    async with serving(production, TestAuthority()) as other:
        told = {
            refused(await ask(other, sent, headers=headers), "invalid_client")
            for sent, headers in (
                (form, {}),
                (form | {"client_id": "nobody-at-all"}, {}),
                ({"grant_type": "client_credentials"}, {"Authorization": f"Basic {basic}"}),
            )
        }
        metadata = await other.http.get("/.well-known/oauth-authorization-server")
    assert len(told) == 1
    assert "private_key_jwt" in told.pop()
    assert metadata.json()["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]


async def test_a_wrong_secret_and_an_unknown_client_are_refused_alike(
    identity: Identity, system: str
) -> None:
    form = secret_form(identity.settings, "onestop-h26")
    words = {
        refused(await ask(identity, form | wrong), "invalid_client")
        for wrong in (
            {"client_secret": "wrong"},
            {"client_id": "nobody-at-all"},
            {"client_id": "nul\0"},
            {"client_id": system},
            {"client_id": "onestop-h29"},
        )
    }
    assert len(words) == 1
    response = await ask(identity, form | {"client_secret": "wrong"})
    assert response.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "x"}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, "invalid_request"),
        ({"grant_type": "client_credentials", "client_assertion": "x"}, "invalid_request"),
        (
            {
                "grant_type": "client_credentials",
                "client_id": "a",
                "client_secret": "x",
                "client_assertion": "y",
                "client_assertion_type": JWT_BEARER,
            },
            "invalid_request",
        ),
    ],
)
async def test_a_malformed_token_request_says_how_to_mend_it(
    identity: Identity, form: dict[str, str], error: str
) -> None:
    assert len(refused(await ask(identity, form), error, 400)) > 10


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"client_id": "onestop-h26"},
        {
            "client_assertion": "x",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        },
    ],
    ids=["none", "the client's id alone", "another type of assertion"],
)
async def test_request_that_proves_no_client_is_told_how_to(
    identity: Identity, proof: dict[str, str]
) -> None:
    """RFC 6749 §5.2 has invalid_client for no authentication and for an unsupported method."""
    answer = await ask(identity, {"grant_type": "client_credentials"} | proof)
    assert "client_assertion_type" in refused(answer, "invalid_client")


async def test_a_request_that_is_no_form_is_refused(identity: Identity) -> None:
    as_json = await identity.http.post("/oauth/token", json={"grant_type": "client_credentials"})
    refused(as_json, "invalid_request", 400)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    twice = b"grant_type=client_credentials&grant_type=password"
    repeated = await identity.http.post("/oauth/token", content=twice, headers=headers)
    refused(repeated, "invalid_request", 400)
    for body in (b"a=" + b"x" * 20_000, "grant_type=é".encode(), b"&".join([b"a=1"] * 30)):
        response = await identity.http.post("/oauth/token", content=body, headers=headers)
        refused(response, "invalid_request", 400)
    basic = {"Authorization": "Basic !!!"}
    malformed = await ask(identity, {"grant_type": "client_credentials"}, headers=basic)
    refused(malformed, "invalid_client")


async def test_a_token_that_another_key_signed_is_not_believed(identity: Identity) -> None:
    forged = jwt.encode(
        {"iss": "https://lienthong.local", "aud": AUDIENCE, "sub": "operator-vpcp", "exp": 2**31},
        generate_private_key(SECP256R1()),
        "ES256",
        {"kid": (await identity.http.get("/.well-known/jwks.json")).json()["keys"][0]["kid"]},
    )
    with pytest.raises(Unauthenticated):
        await verified(identity, forged)


async def test_a_service_starts_while_its_database_is_away(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "postgresql+asyncpg://x@127.0.0.1:1/x"})
    async with calling(create_app(away)) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/.well-known/jwks.json")).status_code == 503
