"""Two signatures prove each call; whatever is wrong with one of them, it is refused."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from fastapi import APIRouter
from jwt.utils import base64url_encode

from shared.app import create_service
from shared.auth import (
    RIGHT_HEADER,
    Caller,
    CallerCheck,
)
from shared.settings import ServiceSettings
from tests.factories import ISSUER, TOKEN_KEY, TestAuthority
from tests.serving import calling
from tests.shared.mechanics import SERVICE
from tests.shared.test_verifier import Keys

OPERATION = "GET /dossier/v1/dossiers/{code}"
PATH = "/dossier/v1/dossiers/H26-261122-0001"

router = APIRouter(prefix="/dossier/v1/dossiers")


@router.get("/{code}")
async def read(code: str, caller: Caller) -> dict[str, Any]:
    return {"client": caller.client, "agency": caller.agency, "officer": caller.officer}


@pytest.fixture(scope="module")
async def client(authority: TestAuthority) -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings(
        name=SERVICE, database_url="postgresql+asyncpg://nobody@/none", kafka_servers="-"
    )
    app = create_service(settings, title="Test", prefix="/dossier/v1", routers=[router])
    async with calling(app, authority) as client:
        yield client


async def test_caller_is_who_the_token_names(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    answer = await client.get(PATH, headers=authority.headers(OPERATION, SERVICE))
    assert answer.status_code == 200
    assert answer.json() == {"client": "onestop-h26", "agency": "H26", "officer": "officer-1"}


NOW = int(time.time())
REFUSED_TOKENS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 60},
    "for another audience": {"aud": "another"},
    "of another issuer": {"iss": "https://elsewhere"},
    "issued an hour from now": {"iat": NOW + 3_600, "exp": NOW + 4_000},
    "without an agency": {"agency": None},
}


@pytest.mark.parametrize("over", REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
async def test_token_that_does_not_hold_is_refused(
    client: httpx.AsyncClient, authority: TestAuthority, over: dict[str, Any]
) -> None:
    token = authority.token(**over) if over.get("agency", "") is not None else _no_agency(authority)
    headers = authority.headers(OPERATION, SERVICE) | {"Authorization": f"Bearer {token}"}
    answer = await client.get(PATH, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/unauthenticated"
    assert token not in answer.text


def _no_agency(authority: TestAuthority) -> str:
    claims = jwt.decode(authority.token(), options={"verify_signature": False})
    del claims["agency"]
    return jwt.encode(claims, authority._token_key, "ES256", {"kid": TOKEN_KEY})


def forged(authority: TestAuthority) -> dict[str, str]:
    """Tokens whose claims are right and whose signature is not the authority's."""
    claims = jwt.decode(authority.token(), options={"verify_signature": False})
    good = authority.token().split(".")
    public = authority._token_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    confused = jwt.PyJWT().encode(claims, "x" * 64, "HS256", {"kid": TOKEN_KEY}).split(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        ".".join(confused[:2]).encode(), public
    )
    other = TestAuthority()
    return {
        "of another key": other.token(),
        "with changed claims": ".".join([good[0], _changed(good[1]), good[2]]),
        "alg none": jwt.encode(claims, "", "none", {"kid": TOKEN_KEY}),
        "HS256 with the public key": ".".join(
            [*confused[:2], base64url_encode(signature).decode()]
        ),
        "of an unknown key": jwt.encode(claims, authority._token_key, "ES256", {"kid": "unknown"}),
        "without a key id": jwt.encode(claims, authority._token_key, "ES256"),
        "nothing": "",
        "no token at all": "x.y.z",
        "cut short": ".".join(good[:2]),
    }


def _changed(payload: str) -> str:
    claims = jwt.utils.base64url_decode(payload).replace(b"onestop-h26", b"operator-00")
    return base64url_encode(claims).decode()


@pytest.mark.parametrize("kind", list(forged(TestAuthority())))
async def test_forged_token_is_refused(
    client: httpx.AsyncClient, authority: TestAuthority, kind: str
) -> None:
    token = forged(authority)[kind]
    headers = authority.headers(OPERATION, SERVICE) | {"Authorization": f"Bearer {token}"}
    assert (await client.get(PATH, headers=headers)).status_code == 401


@pytest.mark.parametrize("scheme", ["Basic b25lc3RvcDp4", "", "Bearer"])
async def test_call_without_a_bearer_token_is_refused(
    client: httpx.AsyncClient, authority: TestAuthority, scheme: str
) -> None:
    headers = authority.headers(OPERATION, SERVICE) | {"Authorization": scheme}
    assert (await client.get(PATH, headers=headers)).status_code == 401


WRONG_RIGHTS: dict[str, tuple[dict[str, Any], int]] = {
    "expired": ({"exp": NOW - 60}, 401),
    "for another service": ({"aud": "sync_service"}, 401),
    "of another issuer": ({"iss": ISSUER}, 401),
    "for another operation": ({"operation": "DELETE /dossier/v1/dossiers/{code}"}, 403),
    "for one path instead of the template": ({"operation": f"GET {PATH}"}, 403),
    "of another client": ({"sub": "onestop-h29"}, 403),
}


@pytest.mark.parametrize(("over", "status"), WRONG_RIGHTS.values(), ids=WRONG_RIGHTS)
async def test_right_that_is_not_for_this_call_is_refused(
    client: httpx.AsyncClient, authority: TestAuthority, over: dict[str, Any], status: int
) -> None:
    right = authority.right(
        **{"client": "onestop-h26", "operation": OPERATION, "audience": SERVICE} | over
    )
    headers = authority.headers(OPERATION, SERVICE) | {RIGHT_HEADER: right}
    assert (await client.get(PATH, headers=headers)).status_code == status


async def test_token_is_no_right(client: httpx.AsyncClient, authority: TestAuthority) -> None:
    headers = authority.headers(OPERATION, SERVICE)
    for wrong in ({}, {RIGHT_HEADER: headers["Authorization"].split()[1]}):
        sent = {"Authorization": headers["Authorization"]} | wrong
        assert (await client.get(PATH, headers=sent)).status_code == 401


async def test_words_of_the_caller_are_read_as_utf_8(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    headers = authority.headers(OPERATION, SERVICE, officer=None)
    for sent, read in (("Đỗ Mai".encode(), "Đỗ Mai"), (b"\xd0", "\ufffd")):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = await client.get(PATH, headers=[*raw, (b"X-Officer", sent)])
        assert answer.json()["officer"] == read


async def test_unreachable_keys_are_an_outage_and_not_the_callers_fault(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    keys = Keys(authority)
    keys.cut = True
    app = client._transport.app  # type: ignore[attr-defined]  # httpx does not show it otherwise
    app.state.callers = CallerCheck(keys.verifier(), keys.verifier())
    try:
        answer = await client.get(PATH, headers=authority.headers(OPERATION, SERVICE))
    finally:
        authority.install(app)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
