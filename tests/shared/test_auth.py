"""Two signatures prove each call; whatever is wrong with one of them, it is refused."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from fastapi import APIRouter
from jwt.utils import base64url_encode

from shared.app import AUDIENCE, create_service
from shared.auth import (
    REFRESH_SECONDS,
    RIGHT_HEADER,
    Caller,
    CallerCheck,
    KeySet,
    Unauthenticated,
    Verifier,
)
from shared.problems import Unavailable
from shared.settings import ServiceSettings
from tests.factories import ISSUER, TOKEN_KEY, TestAuthority
from tests.serving import calling
from tests.shared.mechanics import SERVICE

OPERATION = "GET /dossier/v1/dossiers/{code}"
PATH = "/dossier/v1/dossiers/H26-261122-0001"

router = APIRouter(prefix="/dossier/v1/dossiers")


@router.get("/{code}")
async def read(code: str, caller: Caller) -> dict[str, Any]:
    return {"client": caller.client, "agency": caller.agency, "officer": caller.officer}


class Keys:
    """The wire to the identity service and the gateway; counts who asks, and may be cut."""

    def __init__(self, authority: TestAuthority) -> None:
        self.authority, self.asked, self.cut = authority, 0, False

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(0)  # as on a real wire, others run meanwhile
        if self.cut:
            raise httpx.ConnectError("nobody there")
        return self.authority._keys(request)

    def verifier(self) -> Verifier:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return Verifier(KeySet(http, "http://identity/jwks.json"), issuer=ISSUER, audience=AUDIENCE)


@pytest.fixture
def keys(authority: TestAuthority) -> Keys:
    return Keys(authority)


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


async def test_small_difference_of_clocks_is_no_reason_to_refuse(
    authority: TestAuthority, keys: Keys
) -> None:
    ahead = authority.token(iat=int(time.time()) + 3)
    assert (await keys.verifier().claims(ahead))["sub"] == "onestop-h26"


async def test_signature_that_held_is_not_checked_with_the_keys_again(
    authority: TestAuthority, keys: Keys
) -> None:
    verifier, token = keys.verifier(), authority.token()
    first = await verifier.claims(token)
    keys.cut = True
    assert await verifier.claims(token) is first
    assert keys.asked == 1


async def test_remembered_signature_ends_with_its_token(
    authority: TestAuthority, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    verifier, token = keys.verifier(), authority.token(exp=now + 300)
    first = await verifier.claims(token)
    monkeypatch.setattr("shared.auth.time.time", lambda: now + 301.0)
    # The library keeps its own clock and still finds it good: what counts is that it was asked.
    assert await verifier.claims(token) is not first


async def test_remembered_signature_is_checked_again_when_its_key_may_be_withdrawn(
    authority: TestAuthority, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier, token = keys.verifier(), authority.token(exp=int(time.time()) + 590)
    await verifier.claims(token)
    keys.authority = TestAuthority()  # of the same key id, with another key
    later = time.time() + REFRESH_SECONDS + 10
    monkeypatch.setattr("shared.auth.time.time", lambda: later)
    verifier._keys._asked_at -= REFRESH_SECONDS + 10
    with pytest.raises(Unauthenticated):
        await verifier.claims(token)


async def test_token_for_longer_than_tokens_are_made_is_refused(
    authority: TestAuthority, keys: Keys
) -> None:
    now = int(time.time())
    await keys.verifier().claims(authority.token(iat=now, exp=now + 600))
    with pytest.raises(Unauthenticated, match="600 seconds"):
        await keys.verifier().claims(authority.token(iat=now, exp=now + 3_600))


async def test_words_of_the_caller_are_read_as_utf_8(
    client: httpx.AsyncClient, authority: TestAuthority
) -> None:
    headers = authority.headers(OPERATION, SERVICE, officer=None)
    for sent, read in (("Đỗ Mai".encode(), "Đỗ Mai"), (b"\xd0", "\ufffd")):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer = await client.get(PATH, headers=[*raw, (b"X-Officer", sent)])
        assert answer.json()["officer"] == read


async def test_simultaneous_first_calls_wait_for_one_fetch(
    authority: TestAuthority, keys: Keys
) -> None:
    verifier = keys.verifier()
    claims = await asyncio.gather(*(verifier.claims(authority.token()) for _ in range(20)))
    assert len(claims) == 20
    assert keys.asked == 1


async def test_rotated_key_is_picked_up(
    authority: TestAuthority, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier, rotated = keys.verifier(), TestAuthority()
    await verifier.claims(authority.token())
    claims = jwt.decode(rotated.token(), options={"verify_signature": False})
    token = jwt.encode(claims, rotated._token_key, "ES256", {"kid": "rotated-in"})

    def both(request: httpx.Request) -> httpx.Response:
        old = TestAuthority._keys(authority, request).json()["keys"]
        new = [key | {"kid": "rotated-in"} for key in rotated._keys(request).json()["keys"]]
        return httpx.Response(200, json={"keys": [*old, *new]})

    monkeypatch.setattr(authority, "_keys", both)
    monkeypatch.setattr("shared.auth.UNKNOWN_KEY_SECONDS", 0)
    assert (await verifier.claims(token))["sub"] == "onestop-h26"
    assert (await verifier.claims(authority.token(client="police-g01")))["sub"] == "police-g01"


async def test_unknown_keys_are_not_asked_for_again_at_once(
    authority: TestAuthority, keys: Keys
) -> None:
    verifier = keys.verifier()
    await verifier.claims(authority.token())
    for number in range(10):
        claims = {"sub": "x", "exp": NOW + 60, "iat": NOW}
        unknown = jwt.encode(claims, authority._token_key, "ES256", {"kid": f"key-{number}"})
        with pytest.raises(Unauthenticated):
            await verifier.claims(unknown)
    assert keys.asked == 1


async def test_unreachable_keys_are_an_outage_and_not_the_callers_fault(
    client: httpx.AsyncClient, authority: TestAuthority, keys: Keys
) -> None:
    keys.cut = True
    app = client._transport.app  # type: ignore[attr-defined]  # httpx does not show it otherwise
    app.state.callers = CallerCheck(keys.verifier(), keys.verifier())
    try:
        answer = await client.get(PATH, headers=authority.headers(OPERATION, SERVICE))
    finally:
        authority.install(app)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


async def test_known_keys_outlive_an_outage(
    authority: TestAuthority, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = keys.verifier()
    await verifier.claims(authority.token())
    keys.cut = True
    monkeypatch.setattr("shared.auth.REFRESH_SECONDS", -1)
    assert (await verifier.claims(authority.token(client="police-g01")))["sub"] == "police-g01"
    assert keys.asked == 2


async def test_many_callers_learn_of_an_outage_from_one_fetch(
    authority: TestAuthority, keys: Keys
) -> None:
    keys.cut, verifier = True, keys.verifier()
    outcomes = await asyncio.gather(
        *(verifier.claims(authority.token()) for _ in range(20)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert keys.asked == 1
