"""A signature is checked once with the keys that are published now, fetched as rarely as can be."""

import asyncio
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.utils import base64url_encode

from shared.crypto.signatures import SignatureCache
from shared.runtime.app import AUDIENCE
from shared.web.calls.auth import (
    REFRESH_SECONDS,
    RETRY_SECONDS,
    UNCONFIRMED_SECONDS,
    KeySet,
    KeysUnavailable,
    Unauthenticated,
    Verifier,
    read_bearer_token,
)
from shared.web.problems import Unavailable
from tests.support.factories import ISSUER, TOKEN_KEY, TestAuthority
from tests.support.waiting import eventually


class Keys:
    """The wire to the identity service and the gateway; counts who asks, and may be cut."""

    def __init__(self, authority: TestAuthority) -> None:
        self.authority, self.asked, self.cut = authority, 0, False
        self.hangs: asyncio.Event | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(0)  # as on a real wire, others run meanwhile
        if self.hangs:
            await self.hangs.wait()
        if self.cut:
            raise httpx.ConnectError("nobody there")
        return self.authority._keys(request)

    def verifier(self) -> Verifier:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return Verifier(KeySet(http, "http://identity/jwks.json"), issuer=ISSUER, audience=AUDIENCE)


class Clock:
    """The clocks of the verifier; by the one that tells the age of keys, time can pass."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def forward(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("shared.web.calls.auth.time", made)
    return made


@pytest.fixture
def keys(authority: TestAuthority) -> Keys:
    return Keys(authority)


NOW = int(time.time())
REFUSED_TOKENS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 60},
    "for another audience": {"aud": "another"},
    "of another issuer": {"iss": "https://elsewhere"},
    "issued an hour from now": {"iat": NOW + 3_600, "exp": NOW + 4_000},
}


@pytest.mark.parametrize("over", REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
async def test_token_that_does_not_hold_is_refused(
    authority: TestAuthority, keys: Keys, over: dict[str, Any]
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await keys.verifier().claims(authority.token(**over))
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


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
async def test_forged_token_is_refused(authority: TestAuthority, keys: Keys, kind: str) -> None:
    token = forged(authority)[kind]
    with pytest.raises(Unauthenticated) as refused:
        await keys.verifier().claims(token)
    assert not token or token not in str(refused.value.body())


@pytest.mark.parametrize("header", ["Basic b25lc3RvcDp4", "", "Bearer", None])
def test_call_without_a_bearer_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        read_bearer_token(header)


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
    monkeypatch.setattr("shared.web.calls.auth.time.time", lambda: now + 301.0)
    # The library keeps its own clock and still finds it good: what counts is that it was asked.
    assert await verifier.claims(token) is not first


async def test_remembered_signature_is_checked_again_when_its_key_may_be_withdrawn(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token(exp=int(time.time()) + 590)
    await verifier.claims(token)
    keys.authority = TestAuthority()  # of the same key id, with another key
    clock.forward(REFRESH_SECONDS + 1)
    with pytest.raises(Unauthenticated):
        await verifier.claims(token)


@pytest.mark.parametrize("remembered_after", [0, REFRESH_SECONDS - 1])
async def test_withdrawn_key_proves_nothing_after_the_refresh_whenever_it_last_did(
    authority: TestAuthority, keys: Keys, clock: Clock, remembered_after: int
) -> None:
    """A signature that is remembered late must not add its own time to that of the key set."""
    verifier = keys.verifier()
    await verifier.claims(authority.token())
    token = authority.token(client="police-g01", exp=int(time.time()) + 590)
    clock.forward(remembered_after)
    await verifier.claims(token)
    keys.authority = TestAuthority(("another", generate_private_key(SECP256R1())))
    clock.forward(REFRESH_SECONDS + 1 - remembered_after)
    with pytest.raises(Unauthenticated):
        await verifier.claims(token)


async def test_key_that_stays_published_is_not_verified_with_again(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token(exp=int(time.time()) + 590)
    first = await verifier.claims(token)
    clock.forward(REFRESH_SECONDS + 1)
    assert await verifier.claims(token) is first
    assert keys.asked == 2


@pytest.mark.parametrize("remembered", [True, False])
async def test_outage_of_the_key_set_is_outlived_up_to_its_bound_and_no_longer(
    authority: TestAuthority, keys: Keys, clock: Clock, remembered: bool
) -> None:
    verifier = keys.verifier()
    token = authority.token(exp=int(time.time()) + 590)
    await verifier.claims(token)
    keys.cut = True
    clock.forward(UNCONFIRMED_SECONDS - 1)
    asked = token if remembered else authority.token(client="police-g01")
    assert await verifier.claims(asked)
    clock.forward(2)
    with pytest.raises(Unavailable):
        await verifier.claims(asked)
    keys.cut = False
    clock.forward(RETRY_SECONDS + 1)
    assert await verifier.claims(asked)


@pytest.mark.parametrize("answer", ["refused", "an error", "no key set", "an empty key set"])
async def test_answer_that_holds_no_keys_confirms_none(
    authority: TestAuthority, keys: Keys, clock: Clock, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = keys.verifier()
    await verifier.claims(authority.token())
    answers = {
        "an error": httpx.Response(503),
        "no key set": httpx.Response(200, text="<html>"),
        "an empty key set": httpx.Response(200, json={"keys": []}),
    }
    keys.cut = answer == "refused"
    if answer in answers:
        monkeypatch.setattr(authority, "_keys", lambda _: answers[answer])
    clock.forward(REFRESH_SECONDS + 1)
    assert await verifier.claims(authority.token())
    clock.forward(UNCONFIRMED_SECONDS - REFRESH_SECONDS)
    with pytest.raises(Unavailable):
        await verifier.claims(authority.token())


async def test_in_an_outage_one_caller_asks_again_and_no_other_waits(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token()
    await verifier.claims(token)
    keys.hangs = asyncio.Event()
    clock.forward(REFRESH_SECONDS + 1)
    asking = asyncio.create_task(verifier.claims(token))
    await eventually(lambda: keys.asked == 2)
    assert await verifier.claims(token)
    assert await verifier.claims(authority.token(client="police-g01"))
    assert not asking.done()
    keys.cut = True
    keys.hangs.set()
    assert await asking
    assert await verifier.claims(token)
    assert keys.asked == 2, "it waits before it asks again"


async def test_after_a_long_silence_all_callers_wait_for_the_answer(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token()
    await verifier.claims(token)
    clock.forward(UNCONFIRMED_SECONDS + 1)
    claims = await asyncio.gather(*(verifier.claims(token) for _ in range(5)))
    assert len(claims) == 5
    assert keys.asked == 2


async def test_token_for_longer_than_tokens_are_made_is_refused(
    authority: TestAuthority, keys: Keys
) -> None:
    now = int(time.time())
    await keys.verifier().claims(authority.token(iat=now, exp=now + 600))
    with pytest.raises(Unauthenticated, match="600 seconds"):
        await keys.verifier().claims(authority.token(iat=now, exp=now + 3_600))


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
    verifier = keys.verifier()
    rotated = TestAuthority(("rotated-in", generate_private_key(SECP256R1())))
    await verifier.claims(authority.token())

    def both(request: httpx.Request) -> httpx.Response:
        old, new = (TestAuthority._keys(of, request).json()["keys"] for of in (authority, rotated))
        return httpx.Response(200, json={"keys": [*old, *new]})

    monkeypatch.setattr(authority, "_keys", both)
    monkeypatch.setattr("shared.web.calls.auth.UNKNOWN_KEY_SECONDS", 0)
    assert (await verifier.claims(rotated.token()))["sub"] == "onestop-h26"
    assert (await verifier.claims(authority.token(client="police-g01")))["sub"] == "police-g01"


async def test_unknown_keys_are_not_asked_for_again_at_once(
    authority: TestAuthority, keys: Keys
) -> None:
    verifier = keys.verifier()
    await verifier.claims(authority.token())
    for number in range(10):
        unknown = TestAuthority((f"key-{number}", authority._token_key))
        with pytest.raises(Unauthenticated):
            await verifier.claims(unknown.token())
    assert keys.asked == 1


async def test_known_keys_outlive_an_outage(
    authority: TestAuthority, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = keys.verifier()
    await verifier.claims(authority.token())
    keys.cut = True
    monkeypatch.setattr("shared.web.calls.auth.REFRESH_SECONDS", -1)
    assert (await verifier.claims(authority.token(client="police-g01")))["sub"] == "police-g01"
    assert keys.asked == 2


async def test_many_callers_learn_of_an_outage_from_one_fetch(
    authority: TestAuthority, keys: Keys
) -> None:
    keys.cut, verifier = True, keys.verifier()
    outcomes = await asyncio.gather(
        *(verifier.claims(authority.token()) for _ in range(20)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {KeysUnavailable}
    assert keys.asked == 1


async def test_what_held_is_kept_by_its_length_and_no_longer_than_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.crypto.signatures.MAX_SIGNED_CHARACTERS", 10_000)
    authority = TestAuthority()
    verifier = Keys(authority).verifier()
    for number in range(20):
        await verifier.claims(authority.token(client=f"{number}-{'x' * 2_000}"))
    assert verifier._held.characters <= 10_000
    assert 1 < len(verifier._held) < 5
    held = await verifier._verify(authority.token())
    cache, now = SignatureCache(), time.time()
    for number, until in enumerate((now - 2, now - 1, now + 60, now + 61)):
        cache.keep(f"signed-{number}", held._replace(until=until))
    assert (len(cache), cache.characters) == (2, 2 * len("signed-0"))
    assert cache.get("signed-1") is None
