import asyncio
import base64
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import event, select
from typer.testing import CliRunner, Result

from identity_service.keys import LEAD, SigningKeys, cli, forget_ended_keys, rotate
from identity_service.main import create_app
from identity_service.models import SigningKey, UsedAssertion
from identity_service.settings import Settings
from identity_service.store import forget_used_assertions
from shared.app import AUDIENCE
from shared.auth import KeySet, Unauthenticated, Verifier
from shared.database import SessionFactory
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.serving import calling

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SYSTEM = "hospital-system"
KEY = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
async def system(identity: Identity) -> str:
    """A production client with a registered key."""
    new = {"client_id": SYSTEM, "agency": "G18", "name": "Hospital", "kind": "production"}
    created = await identity.call("POST /identity/v1/clients", json=new)
    assert created.status_code == 201
    public = OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    registered = await identity.call(
        "POST /identity/v1/clients/{client_id}/keys",
        at={"client_id": SYSTEM},
        json=public | {"kid": "first"},
    )
    assert registered.status_code == 201
    return SYSTEM


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
    told = json.loads(settings.sandbox_file.read_text())["clients"]
    secret = next(row["client_secret"] for row in told if row["client_id"] == client)
    return {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
    }


def refused(response: Response, error: str, status: int = 401) -> str:
    assert response.status_code == status
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["error"] == error
    description: str = response.json()["error_description"]
    return description


async def verified(identity: Identity, token: str) -> dict[str, Any]:
    """As any service of the mesh checks it: by the published keys."""
    keys = KeySet(identity.http, "/.well-known/jwks.json")
    return await Verifier(keys, issuer="https://lienthong.local", audience=AUDIENCE).claims(token)


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
        "https://lienthong.local/oauth/token",
        "http://127.0.0.1:8000/oauth/token",
        ["https://lienthong.local", "https://elsewhere.example"],
    ],
)
async def test_the_endpoint_or_the_issuer_is_the_audience(
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
        ({"exp": int(time.time()) - 60}, "expired"),
        ({"exp": int(time.time()) + 3_600}, "five minutes"),
        ({"nbf": int(time.time()) + 86_400}, "clock"),
        ({"iss": "onestop-h26"}, "iss"),
        ({"sub": "onestop-h26"}, "unknown"),
        ({"sub": "nobody-at-all"}, "unknown"),
        ({"sub": None}, "sub"),
        ({"jti": None}, "jti"),
        ({"jti": "x" * 201}, "jti"),
        ({"jti": "nul\0"}, "jti"),
        ({"sub": "nul\0"}, "unknown"),
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
    refused(await ask_signed(identity, unsigned), "invalid_client")
    refused(await ask_signed(identity, "not.a.token"), "invalid_client")


async def test_the_form_may_name_the_client_but_no_other(identity: Identity, system: str) -> None:
    assert (await ask_signed(identity, assertion(), client_id=system)).status_code == 200
    other = await ask_signed(identity, assertion(), client_id="onestop-h26")
    refused(other, "invalid_client")


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


async def test_the_first_operator_of_production_registers_its_key_by_command(
    identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("database_url", "kafka_servers"):
        monkeypatch.setenv(name.upper(), getattr(identity.settings, name))
    for name in ("person_hash_key", "key_encryption_key"):
        monkeypatch.setenv(name.upper(), getattr(identity.settings, name).get_secret_value())
    file = tmp_path / "jwk.json"

    async def register(client: str, jwk: object) -> Result:
        file.write_text(json.dumps(jwk))
        asked = ["register", client, str(file)]
        return await asyncio.to_thread(CliRunner().invoke, cli, asked)

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
        ({"grant_type": "client_credentials"}, "invalid_request"),
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


async def test_a_deactivated_client_gets_no_token(identity: Identity) -> None:
    new = {"client_id": "closing-system", "agency": "G18", "name": "x", "kind": "production"}
    await identity.call("POST /identity/v1/clients", json=new)
    at = {"client_id": "closing-system"}
    public = OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "first"}
    await identity.call("POST /identity/v1/clients/{client_id}/keys", at=at, json=public)
    signed: dict[str, Any] = {"iss": "closing-system", "sub": "closing-system"}
    assert (await ask_signed(identity, assertion(**signed))).status_code == 200
    closed = await identity.call(
        "POST /identity/v1/clients/{client_id}/deactivation", at=at, headers={"If-Match": '"1"'}
    )
    assert closed.json()["active"] is False
    refused(await ask_signed(identity, assertion(**signed)), "invalid_client")


async def test_a_removed_key_gets_no_token(identity: Identity, system: str) -> None:
    key = Ed25519PrivateKey.generate()
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "short-lived"}
    at = {"client_id": system, "kid": "short-lived"}
    await identity.call("POST /identity/v1/clients/{client_id}/keys", at=at, json=public)
    headers = {"kid": "short-lived"}
    assert (await ask_signed(identity, assertion(key, headers=headers))).status_code == 200
    path = "DELETE /identity/v1/clients/{client_id}/keys/{kid}"
    assert (await identity.call(path, at=at)).status_code == 204
    assert (await identity.call(path, at=at)).status_code == 404
    refused(await ask_signed(identity, assertion(key, headers=headers)), "invalid_client")


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": int(time.time()) - 60},
        {"aud": "another-mesh"},
        {"iss": "https://elsewhere.example"},
    ],
)
async def test_an_access_token_that_does_not_hold_is_refused(
    identity: Identity, wrong: dict[str, Any]
) -> None:
    operation = "GET /identity/v1/agencies"
    headers = identity.authority.headers(operation, identity.settings.name)
    headers["Authorization"] = f"Bearer {identity.authority.token(**wrong)}"
    response = await identity.http.get("/identity/v1/agencies", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_key_set_and_metadata_are_public_and_cached(identity: Identity) -> None:
    keys = await identity.http.get("/.well-known/jwks.json")
    assert keys.headers["Cache-Control"] == "public, max-age=300"
    assert all("d" not in key and key["alg"] == "ES256" for key in keys.json()["keys"])
    metadata = (await identity.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == "https://lienthong.local"
    assert metadata["token_endpoint"] == "https://lienthong.local/oauth/token"
    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]


@pytest.fixture
async def emptied(identity: Identity) -> SigningKeys:
    """As at the first start: no key yet."""
    async with identity.app.state.sessions.begin() as session:
        for key in await session.scalars(select(SigningKey)):
            await session.delete(key)
    return fresh(identity)


def fresh(identity: Identity) -> SigningKeys:
    """As another process sees them, or this one half a minute later."""
    return SigningKeys(identity.app.state.sessions, identity.settings.key_encryption_key)


async def test_two_processes_that_start_at_once_make_one_key(
    identity: Identity, emptied: SigningKeys
) -> None:
    one, other = await emptied.signer(), await fresh(identity).signer()
    assert one.kid == other.kid
    assert len(await emptied.published()) == 1


async def test_callers_at_once_do_not_take_the_last_connections_from_the_reload_of_keys(
    settings: Settings,
) -> None:
    async with calling(create_app(settings.model_copy(update={"database_pool": 2}))) as http:
        form = secret_form(settings, "onestop-h26")
        responses = await asyncio.gather(
            *(http.post("/oauth/token", data=form) for _ in range(8)),
            *(http.get("/.well-known/jwks.json") for _ in range(8)),
        )
    assert [response.status_code for response in responses] == [200] * 16


async def test_whoever_waits_for_the_keys_finds_those_that_the_first_one_read(
    identity: Identity, emptied: SigningKeys
) -> None:
    await emptied.signer()
    keys, reads = fresh(identity), 0

    def count(_: object) -> None:
        nonlocal reads
        reads += 1

    sessions: SessionFactory = identity.app.state.sessions
    engine = sessions.kw["bind"].sync_engine
    event.listen(engine, "begin", count)
    try:
        await asyncio.gather(*(keys.signer() for _ in range(5)))
    finally:
        event.remove(engine, "begin", count)
    assert reads == 1


async def test_a_private_key_is_not_readable_in_the_database(
    identity: Identity, emptied: SigningKeys
) -> None:
    await emptied.signer()
    async with identity.app.state.sessions() as session:
        row = (await session.scalars(select(SigningKey))).one()
    assert b"PRIVATE KEY" not in row.sealed
    assert "d" not in row.jwk


async def test_rotation_publishes_before_it_signs_and_keeps_the_old_until_its_tokens_ended(
    identity: Identity, emptied: SigningKeys
) -> None:
    sessions = identity.app.state.sessions
    first = await emptied.signer()
    second = await rotate(sessions, identity.settings.key_encryption_key)
    assert second.signs_from - datetime.now(UTC) > LEAD - timedelta(minutes=1)
    now = fresh(identity)
    assert {key["kid"] for key in await now.published()} == {first.kid, second.kid}
    assert (await now.signer()).kid == first.kid

    await _began_to_sign(identity, second.kid, ago=timedelta(minutes=10))
    later = fresh(identity)
    assert (await later.signer()).kid == second.kid
    await _forget(identity)
    assert len(await fresh(identity).published()) == 2, "a token of the first may be alive"

    await _began_to_sign(identity, second.kid, ago=timedelta(minutes=16))
    await _forget(identity)
    assert [key["kid"] for key in await fresh(identity).published()] == [second.kid]


async def _began_to_sign(identity: Identity, kid: str, *, ago: timedelta) -> None:
    async with identity.app.state.sessions.begin() as session:
        key = await session.get(SigningKey, kid)
        key.signs_from = datetime.now(UTC) - ago
        others = await session.scalars(select(SigningKey).where(SigningKey.kid != kid))
        for other in others:
            other.signs_from = datetime.now(UTC) - timedelta(days=30)


async def _forget(identity: Identity) -> None:
    async with identity.app.state.sessions.begin() as session:
        await forget_ended_keys(session)


async def test_used_assertions_are_forgotten_when_they_have_ended(identity: Identity) -> None:
    now = datetime.now(UTC)
    async with identity.app.state.sessions.begin() as session:
        for jti, ends in (("ended", now - timedelta(seconds=1)), ("alive", now + timedelta(60))):
            session.add(UsedAssertion(client_id="forgetting", jti=jti, expires_at=ends))
        await session.flush()
        await forget_used_assertions(session)
        of_this = select(UsedAssertion.jti).where(UsedAssertion.client_id == "forgetting")
        assert (await session.scalars(of_this)).all() == ["alive"]


async def test_keys_outlive_an_outage_of_the_database_and_tokens_wait_for_its_end(
    settings: Settings, identity: Identity, postgres: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = (await identity.http.get("/.well-known/jwks.json")).json()
    monkeypatch.setattr("identity_service.keys._RELOAD_SECONDS", -1.0)
    postgres.server.stop()
    try:
        assert (await identity.http.get("/.well-known/jwks.json")).json() == published
        response = await ask(identity, secret_form(settings, "onestop-h26"))
        assert response.status_code == 503
        assert response.headers["Retry-After"]
    finally:
        postgres.server.start()
    assert (await ask(identity, secret_form(settings, "onestop-h26"))).status_code == 200


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
