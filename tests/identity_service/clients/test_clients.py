import asyncio
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from identity_service.clients.jwk import check_public_jwk
from shared.crypto.thumbprint import compute_thumbprint
from tests.identity_service.calls import ONE_STOP, SECOND_OPERATOR, Identity

LIST = "GET /identity/v1/clients"
READ = "GET /identity/v1/clients/{client_id}"
REGISTER = "POST /identity/v1/clients"
ADD_KEY = "POST /identity/v1/clients/{client_id}/keys"
DEACTIVATE = "POST /identity/v1/clients/{client_id}/deactivation"


def new(client_id: str, **over: object) -> dict[str, object]:
    return {
        "client_id": client_id,
        "agency": "H26.101",
        "name": "Phần mềm một cửa",
        "kind": "production",
        "operator": False,
    } | over


def public_key() -> dict[str, Any]:
    return ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)


async def test_a_client_is_registered_and_announced(identity: Identity) -> None:
    response = await identity.call(REGISTER, json=new("ward-system"))
    assert response.status_code == 201
    assert response.headers["Location"] == "/identity/v1/clients/ward-system"
    assert response.json() == new("ward-system") | {"version": 1, "active": True, "keys": []}
    read = await identity.call(READ, at={"client_id": "ward-system"})
    assert (read.json(), read.headers["ETag"]) == (response.json(), '"1"')
    events = await identity.events("ward-system")
    assert [(e["type"], e["active"]) for e in events] == [("identity.client.changed.v1", True)]


async def test_a_secret_is_never_told(identity: Identity) -> None:
    response = await identity.call(READ, at={"client_id": "onestop-h26"})
    assert "secret" not in response.text
    assert "digest" not in response.text


async def test_clients_are_listed_by_page_and_filter(identity: Identity) -> None:
    names = ["list-a", "list-b", "list-c"]
    for name in names:
        await identity.call(REGISTER, json=new(name, agency="H41.101"))
    query = {"agency": "H41.101", "limit": "2"}
    first = (await identity.call(LIST, params=query)).json()
    rest = (await identity.call(LIST, params=query | {"after": first["next"]})).json()
    assert [c["client_id"] for c in first["items"] + rest["items"]] == names
    assert rest["next"] is None
    operators = (await identity.call(LIST, params={"operator": "true", "active": "true"})).json()
    assert all(client["operator"] and client["active"] for client in operators["items"])
    found = {client["client_id"] for client in operators["items"]}
    assert {"operator-vpcp", "operator2-vpcp"} <= found


@pytest.mark.parametrize("listed", ["agencies", "clients", "grants"])
async def test_a_list_refuses_a_word_that_it_does_not_know(identity: Identity, listed: str) -> None:
    response = await identity.call(f"GET /identity/v1/{listed}", params={"agencie": "H26"})
    assert response.status_code == 422
    assert response.json()["type"] == "/problems/invalid-request"
    known = await identity.call(f"GET /identity/v1/{listed}", params={"limit": "1"})
    assert len(known.json()["items"]) == 1


async def test_clients_of_agencies_outside_the_right_do_not_exist(identity: Identity) -> None:
    right = {"agencies": ["H29"]}
    listed = (await identity.call(LIST, right=right)).json()["items"]
    assert "onestop-h29" in [client["client_id"] for client in listed]
    assert {client["agency"].split(".")[0] for client in listed} == {"H29"}
    hidden = await identity.call(READ, at={"client_id": "onestop-h26"}, right=right)
    assert hidden.status_code == 404
    at = {"client_id": "onestop-h26"}
    refused = await identity.call(ADD_KEY, at=at, right=right, json=public_key())
    assert refused.status_code == 404
    elsewhere = await identity.call(REGISTER, json=new("elsewhere", agency="H26"), right=right)
    assert elsewhere.status_code == 422


async def test_an_id_is_registered_once_also_by_two_at_once(identity: Identity) -> None:
    both = await asyncio.gather(
        *(identity.call(REGISTER, json=new("racing-system")) for _ in range(2))
    )
    assert sorted(response.status_code for response in both) == [201, 409]
    assert len(await identity.events("racing-system")) == 1


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"agency": "H98"}, "/problems/agency-unknown"),
        ({"agency": "H02"}, "/problems/agency-closed"),
        ({"agency": "Hà Nội"}, "/problems/invalid-request"),
        ({"client_id": "Với dấu"}, "/problems/invalid-request"),
        ({"client_id": "a"}, "/problems/invalid-request"),
        ({"name": "nul\0"}, "/problems/invalid-request"),
        ({"kind": "root"}, "/problems/invalid-request"),
        ({"secret": "x"}, "/problems/invalid-request"),
    ],
)
async def test_a_client_that_cannot_be_is_refused(
    identity: Identity, wrong: dict[str, object], problem: str
) -> None:
    response = await identity.call(REGISTER, json=new("refused-system") | wrong)
    assert response.status_code == 422
    assert response.json()["type"] == problem


async def test_only_an_operator_makes_or_changes_an_operator(identity: Identity) -> None:
    operator = new("second-operator", operator=True, agency="G22")
    refused = await identity.call(REGISTER, by=ONE_STOP, json=operator)
    assert refused.status_code == 403
    at = {"client_id": "operator-vpcp"}
    key = await identity.call(ADD_KEY, by=ONE_STOP, at=at, json=public_key())
    assert key.status_code == 403
    closed = await identity.call(DEACTIVATE, by=ONE_STOP, at=at, headers={"If-Match": '"1"'})
    assert closed.status_code == 403
    assert (await identity.call(REGISTER, json=operator)).status_code == 201


async def test_a_key_without_a_name_is_named_by_its_thumbprint(identity: Identity) -> None:
    await identity.call(REGISTER, json=new("keyed-system"))
    key, at = public_key(), {"client_id": "keyed-system"}
    response = await identity.call_by_two(ADD_KEY, at=at, json=key)
    assert response.status_code == 201
    assert response.json()["kid"] == compute_thumbprint(key)
    again = await identity.call(ADD_KEY, at=at, json=key)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/key-exists")
    shown = (await identity.call(READ, at=at)).json()["keys"]
    assert [known["kid"] for known in shown] == [compute_thumbprint(key)]


async def test_a_key_of_an_unknown_client_is_not_found(identity: Identity) -> None:
    response = await identity.call(ADD_KEY, at={"client_id": "nobody-at-all"}, json=public_key())
    assert response.status_code == 404


async def test_a_private_key_is_refused_and_not_repeated(identity: Identity) -> None:
    key = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()), as_dict=True)
    response = await identity.call(ADD_KEY, at={"client_id": "onestop-h26"}, json=key)
    assert response.status_code == 422
    assert "private" in response.text
    assert key["d"] not in response.text


def test_the_example_of_rfc_7638_has_its_thumbprint() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert compute_thumbprint({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256"}) == (
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (public_key(), ["ES256"]),
        (
            OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True),
            ["EdDSA", "Ed25519"],
        ),
        (
            RSAAlgorithm.to_jwk(generate_rsa(65537, 2048).public_key(), as_dict=True),
            ["PS256", "RS256"],
        ),
    ],
)
def test_key_is_registered_with_or_without_an_algorithm(
    jwk: dict[str, Any], algorithms: list[str]
) -> None:
    assert "alg" not in check_public_jwk(jwk)
    for algorithm in algorithms:
        assert check_public_jwk(jwk | {"alg": algorithm})["alg"] == algorithm


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": 1, "y": 2},
        {"kty": ["EC"]},
        {"kty": "EC", "crv": "P-256", "x": "\ud800", "y": "AA"},
        ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key(), as_dict=True),
        RSAAlgorithm.to_jwk(generate_rsa(65537, 1024).public_key(), as_dict=True),
        public_key() | {"alg": "HS256"},
        public_key() | {"kid": ""},
        public_key() | {"kid": "../keys"},
    ],
)
def test_a_key_that_is_weak_or_malformed_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"key|kty|alg|kid"):
        check_public_jwk(jwk)


async def test_deactivation_needs_the_version_that_was_read(identity: Identity) -> None:
    await identity.call(REGISTER, json=new("old-system"))
    at = {"client_id": "old-system"}
    assert (await identity.call(DEACTIVATE, at=at)).status_code == 428
    stale = await identity.call(DEACTIVATE, at=at, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["version"]) == (412, 1)
    unreadable = await identity.call(DEACTIVATE, at=at, headers={"If-Match": "1"})
    assert unreadable.status_code == 400
    once = {"If-Match": '"1"', "Idempotency-Key": str(uuid4())}
    assert (await identity.call(DEACTIVATE, by=SECOND_OPERATOR, at=at, headers=once)).is_success
    closed = await identity.call(DEACTIVATE, at=at, headers=once)
    assert (closed.json()["active"], closed.headers["ETag"]) == (False, '"2"')
    repeated = await identity.call(DEACTIVATE, at=at, headers=once)
    assert (repeated.status_code, repeated.json()) == (200, closed.json())
    assert [event["active"] for event in await identity.events("old-system")] == [True, False]
