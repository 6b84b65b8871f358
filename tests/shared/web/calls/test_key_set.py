"""The keys that are published now prove a token, and are fetched as rarely as can be."""

import asyncio
import time

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from shared.runtime.app import AUDIENCE
from shared.web.calls.auth import (
    REFRESH_S,
    RETRY_S,
    UNCONFIRMED_S,
    KeySet,
    KeysUnavailable,
    Unauthenticated,
    Verifier,
)
from shared.web.problems import Unavailable
from tests.support.factories import ISSUER, TestAuthority
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
    """The clock of the verifier that tells the age of keys; by it time can pass."""

    def __init__(self) -> None:
        self._ahead = 0.0

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


async def test_remembered_signature_is_checked_again_when_its_key_may_be_withdrawn(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token(exp=int(time.time()) + 590)
    await verifier.claims(token)
    keys.authority = TestAuthority()  # of the same key id, with another key
    clock.forward(REFRESH_S + 1)
    with pytest.raises(Unauthenticated):
        await verifier.claims(token)


@pytest.mark.parametrize("remembered_after", [0, REFRESH_S - 1])
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
    clock.forward(REFRESH_S + 1 - remembered_after)
    with pytest.raises(Unauthenticated):
        await verifier.claims(token)


async def test_key_that_stays_published_is_not_verified_with_again(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token(exp=int(time.time()) + 590)
    first = await verifier.claims(token)
    clock.forward(REFRESH_S + 1)
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
    clock.forward(UNCONFIRMED_S - 1)
    asked = token if remembered else authority.token(client="police-g01")
    assert await verifier.claims(asked)
    clock.forward(2)
    with pytest.raises(Unavailable):
        await verifier.claims(asked)
    keys.cut = False
    clock.forward(RETRY_S + 1)
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
    clock.forward(REFRESH_S + 1)
    assert await verifier.claims(authority.token())
    clock.forward(UNCONFIRMED_S - REFRESH_S)
    with pytest.raises(Unavailable):
        await verifier.claims(authority.token())


async def test_in_an_outage_one_caller_asks_again_and_no_other_waits(
    authority: TestAuthority, keys: Keys, clock: Clock
) -> None:
    verifier, token = keys.verifier(), authority.token()
    await verifier.claims(token)
    keys.hangs = asyncio.Event()
    clock.forward(REFRESH_S + 1)
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
    clock.forward(UNCONFIRMED_S + 1)
    claims = await asyncio.gather(*(verifier.claims(token) for _ in range(5)))
    assert len(claims) == 5
    assert keys.asked == 2


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
    monkeypatch.setattr("shared.web.calls.auth.UNKNOWN_KEY_S", 0)
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
    monkeypatch.setattr("shared.web.calls.auth.REFRESH_S", -1)
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
