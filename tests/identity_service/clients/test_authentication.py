"""A client whose key is registered signs its assertion, which is good once."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from typer.testing import Result

from identity_service.clients.commands import commands
from identity_service.clients.models import UsedAssertion
from identity_service.clients.signed_claims import JWS
from identity_service.clients.use_cases.authentication import SKEW_S
from shared.database.engine import POOL_WAIT_S, STATEMENT_S
from tests.identity_service.calls import Identity
from tests.identity_service.commands import run_command
from tests.identity_service.signing_in import KEY, SYSTEM, ask_signed, assertion, refused, verified


async def test_a_signed_assertion_gets_a_token_that_the_published_keys_prove(
    identity: Identity, system: str
) -> None:
    response = await ask_signed(identity, assertion())
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    answer = response.json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 600)
    claims = await verified(identity, answer["access_token"])
    assert (claims["sub"], claims["agency"], claims["kind"]) == (system, "G18", "production")
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(
    "audience",
    [
        "https://lienthong.local",
        "https://lienthong.local/oauth/token",
        ["https://lienthong.local"],
        "https://mesh.example:8443",
        "https://mesh.example:8443/oauth/token",
        ["https://lienthong.local", "https://mesh.example:8443/oauth/token"],
    ],
)
async def test_each_address_or_its_endpoint_is_the_audience(
    identity: Identity, system: str, audience: object
) -> None:
    assert (await ask_signed(identity, assertion(aud=audience))).status_code == 200


async def test_an_assertion_is_good_once(identity: Identity, system: str) -> None:
    signed = assertion()
    assert (await ask_signed(identity, signed)).status_code == 200
    assert "used before" in refused(await ask_signed(identity, signed), "invalid_client")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"aud": "https://elsewhere.example"}, "aud"),
        ({"aud": "http://127.0.0.1:8000/oauth/token"}, "aud"),
        ({"aud": ["https://lienthong.local", "https://elsewhere.example"]}, "aud"),
        ({"aud": []}, "aud"),
        ({"exp": int(time.time()) - 60}, "seconds ago"),
        ({"exp": int(time.time()) + 3_600}, "five minutes are the most (300 seconds)"),
        ({"nbf": int(time.time()) + 86_400}, "clock"),
        # Of a clock that is an hour ahead.
        ({"iat": int(time.time()) + 3_600, "exp": int(time.time()) + 3_720}, "clock is ahead"),
        ({"jti": None}, "Correct the claims set, in which these are missing or malformed: jti ("),
        ({"aud": "https://elsewhere.example"}, "https://lienthong.local/oauth/token"),
        ({"iss": "onestop-h26"}, "iss"),
        ({"sub": "onestop-h26"}, "iss"),
        ({"iss": "onestop-h26", "sub": "onestop-h26"}, "No active client"),
        ({"iss": "nobody-at-all", "sub": "nobody-at-all"}, "No active client"),
        ({"sub": None}, "sub"),
        ({"jti": None}, "jti"),
        ({"jti": "x" * 201}, "jti"),
        ({"jti": "nul\0"}, "jti"),
        ({"iss": "nul\0", "sub": "nul\0"}, "No active client"),
        ({"sub": 7}, "sub"),
        ({"exp": None}, "exp"),
    ],
)
async def test_an_assertion_with_a_wrong_claim_is_refused(
    identity: Identity, system: str, wrong: dict[str, Any], says: str
) -> None:
    assert says in refused(await ask_signed(identity, assertion(**wrong)), "invalid_client")


async def test_a_clock_that_is_half_a_minute_off_is_forgiven(
    identity: Identity, system: str
) -> None:
    late = assertion(exp=int(time.time()) - 20)
    assert (await ask_signed(identity, late)).status_code == 200


async def test_forged_and_unreadable_assertions_are_refused(
    identity: Identity, system: str
) -> None:
    forged = assertion(Ed25519PrivateKey.generate())
    assert "signature" in refused(await ask_signed(identity, forged), "invalid_client")
    other_key = assertion(headers={"kid": "second"})
    assert "kid" in refused(await ask_signed(identity, other_key), "invalid_client")
    other_algorithm = assertion(generate_private_key(SECP256R1()))
    refused(await ask_signed(identity, other_algorithm), "invalid_client")
    unsigned = jwt.encode({"sub": SYSTEM}, "", "none", {"kid": "first"})
    assert "RS256" in refused(await ask_signed(identity, unsigned), "invalid_client")
    unread = refused(await ask_signed(identity, "not.a.token"), "invalid_client")
    assert "signed JWT" in unread


async def test_refusals_that_depend_on_the_client_have_one_text(
    identity: Identity, system: str
) -> None:
    nobody: dict[str, Any] = {"iss": "nobody-at-all", "sub": "nobody-at-all"}
    other = Ed25519PrivateKey.generate()
    told = {
        refused(await ask_signed(identity, signed), "invalid_client")
        for signed in (
            assertion(**nobody),
            assertion(other),
            assertion(headers={"kid": "second"}),
            assertion(other, headers={"kid": "second"}),
            assertion(generate_private_key(SECP256R1())),
        )
    }
    assert len(told) == 1


@pytest.mark.parametrize(
    "wrong", [{"exp": int(time.time()) + 3_600}, {"aud": "https://elsewhere.example"}, {"exp": 1}]
)
async def test_refused_claim_says_the_same_of_every_client(
    identity: Identity, system: str, wrong: dict[str, Any]
) -> None:
    nobody: dict[str, Any] = {"iss": "nobody-at-all", "sub": "nobody-at-all"}
    known = refused(await ask_signed(identity, assertion(**wrong)), "invalid_client")
    unknown = refused(await ask_signed(identity, assertion(**nobody, **wrong)), "invalid_client")
    seconds = re.compile(r"\d+ seconds a")
    assert seconds.sub("", known) == seconds.sub("", unknown)


RSA_KEY = generate_rsa(65537, 2048)
ED25519_KEY, EC_KEY = Ed25519PrivateKey.generate(), generate_private_key(SECP256R1())
PUBLIC_KEYS: dict[str, dict[str, Any]] = {
    "RSA": RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True),
    "RSA for PS256": RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"alg": "PS256"},
    "EC": ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True),
    "OKP": OKPAlgorithm.to_jwk(ED25519_KEY.public_key(), as_dict=True),
    "OKP for EdDSA": OKPAlgorithm.to_jwk(ED25519_KEY.public_key(), as_dict=True) | {"alg": "EdDSA"},
}
PRIVATE_KEYS: dict[str, Any] = {"RSA": RSA_KEY, "EC": EC_KEY, "OKP": ED25519_KEY}


@pytest.fixture(scope="module")
async def keyed(identity: Identity, system: str) -> str:
    """The client has a key of each kind, whose kid says which."""
    for kind, jwk in PUBLIC_KEYS.items():
        body = jwk | {"kid": kind.replace(" ", "-")}
        path, at = "POST /identity/v1/clients/{client_id}/keys", {"client_id": system}
        assert (await identity.call_by_two(path, at=at, json=body)).status_code == 201
    return system


@pytest.mark.parametrize(
    ("kind", "algorithm", "says"),
    [
        ("RSA", "RS256", None),
        ("RSA", "PS256", None),
        ("RSA for PS256", "PS256", None),
        ("RSA for PS256", "RS256", "registered for PS256 alone"),
        ("EC", "ES256", None),
        ("OKP", "EdDSA", None),
        ("OKP", "Ed25519", None),
        ("OKP for EdDSA", "Ed25519", None),
        ("RSA", "RS512", "Sign it by one of ES256, Ed25519, EdDSA, PS256, RS256"),
    ],
)
async def test_key_signs_by_each_algorithm_that_fits_it(
    identity: Identity, keyed: str, kind: str, algorithm: str, says: str | None
) -> None:
    claims = jwt.decode(assertion(), options={"verify_signature": False})
    key = PRIVATE_KEYS[kind.partition(" ")[0]]
    signed = JWS.encode(
        json.dumps(claims).encode(), key, algorithm, {"kid": kind.replace(" ", "-")}
    )
    answer = await ask_signed(identity, signed)
    if says is None:
        assert answer.status_code == 200, answer.text
    else:
        assert says in refused(answer, "invalid_client")


async def test_the_form_may_name_the_client_but_no_other(identity: Identity, system: str) -> None:
    assert (await ask_signed(identity, assertion(), client_id=system)).status_code == 200
    other = await ask_signed(identity, assertion(), client_id="onestop-h26")
    refused(other, "invalid_client")


async def test_the_first_operator_of_production_registers_its_key_by_command(
    identity: Identity, tmp_path: Path
) -> None:
    file = tmp_path / "jwk.json"

    async def register(client: str, jwk: object) -> Result:
        file.write_text(json.dumps(jwk))
        command = (commands, identity.settings, "register-key", client, str(file))
        return await asyncio.to_thread(run_command, *command)

    public = OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "first"}
    registered = await register("operator-vpcp", public)
    assert (registered.exit_code, registered.output) == (0, "operator-vpcp has the key first\n")
    claimed: dict[str, Any] = {"iss": "operator-vpcp", "sub": "operator-vpcp"}
    assert (await ask_signed(identity, assertion(**claimed))).status_code == 200

    for client, wrong, says in (
        ("operator-vpcp", public, "has a key first already"),
        ("nobody-at-all", public, "no client"),
        ("operator-vpcp", public | {"d": "a-private-half"}, "private"),
        ("operator-vpcp", [public], "one JSON Web Key"),
    ):
        refused = await register(client, wrong)
        assert refused.exit_code == 2
        assert says in " ".join(refused.output.replace("│", " ").split())
        assert "a-private-half" not in refused.output


async def test_a_deactivated_client_gets_no_token(identity: Identity) -> None:
    new = {"client_id": "closing-system", "agency": "G18", "name": "x", "kind": "production"}
    await identity.call("POST /identity/v1/clients", json=new)
    at = {"client_id": "closing-system"}
    public = OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "first"}
    await identity.call_by_two("POST /identity/v1/clients/{client_id}/keys", at=at, json=public)
    signed: dict[str, Any] = {"iss": "closing-system", "sub": "closing-system"}
    assert (await ask_signed(identity, assertion(**signed))).status_code == 200
    closed = await identity.call_by_two(
        "POST /identity/v1/clients/{client_id}/deactivation", at=at, headers={"If-Match": '"1"'}
    )
    assert closed.json()["active"] is False
    refused(await ask_signed(identity, assertion(**signed)), "invalid_client")


async def test_a_removed_key_gets_no_token(identity: Identity, system: str) -> None:
    key = Ed25519PrivateKey.generate()
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "short-lived"}
    at = {"client_id": system, "kid": "short-lived"}
    await identity.call_by_two("POST /identity/v1/clients/{client_id}/keys", at=at, json=public)
    headers = {"kid": "short-lived"}
    assert (await ask_signed(identity, assertion(key, headers=headers))).status_code == 200
    path = "DELETE /identity/v1/clients/{client_id}/keys/{kid}"
    assert (await identity.call_by_two(path, at=at)).status_code == 204
    assert (await identity.call(path, at=at)).status_code == 404
    refused(await ask_signed(identity, assertion(key, headers=headers)), "invalid_client")


async def test_a_used_assertion_is_kept_longer_than_a_request_may_wait(
    identity: Identity, system: str
) -> None:
    ends, jti = int(time.time()) + 60, uuid4().hex
    assert (await ask_signed(identity, assertion(exp=ends, jti=jti))).status_code == 200
    async with identity.app.state.sessions() as session:
        used = await session.get(UsedAssertion, (system, jti))
    # A request that comes just before the end may wait for a connection and for a statement.
    assert used
    waited_s = POOL_WAIT_S + STATEMENT_S
    assert used.expires_at.timestamp() > ends + SKEW_S + waited_s
