"""The signature of a token is checked once, and holds no longer than its token."""

import re
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from jwt.utils import base64url_encode

from shared.crypto.signatures import SignatureCache
from shared.web.calls.auth import Unauthenticated, read_bearer_token
from tests.shared.web.calls.test_key_set import Keys
from tests.support.factories import TOKEN_KEY, TestAuthority


@pytest.fixture
def keys(authority: TestAuthority) -> Keys:
    return Keys(authority)


NOW = int(time.time())
REFUSED_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": NOW - 60}, "has expired"),
    "for another audience": ({"aud": "another"}, "another audience"),
    "of another issuer": ({"iss": "https://elsewhere"}, "another server"),
    "issued an hour from now": ({"iat": NOW + 3_600, "exp": NOW + 4_000}, "not valid yet"),
    "without a client": ({"sub": None}, "lacks a claim"),
}


@pytest.mark.parametrize(("over", "says"), REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
async def test_token_that_does_not_hold_is_refused(
    authority: TestAuthority, keys: Keys, over: dict[str, Any], says: str
) -> None:
    with pytest.raises(Unauthenticated, match=says) as refused:
        await keys.verifier().claims(authority.token(**over))
    challenge = f'Bearer error="invalid_token", error_description="{refused.value.detail}"'
    assert refused.value.headers == {"WWW-Authenticate": challenge}


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
    assert re.fullmatch(r"[\x20\x21\x23-\x5B\x5D-\x7E]+", refused.value.detail)
    assert not token or token not in str(refused.value.body())


@pytest.mark.parametrize("header", ["Basic b25lc3RvcDp4", "", "Bearer", None])
def test_call_without_a_bearer_token_is_asked_for_one(header: str | None) -> None:
    """Without a token the challenge names no error (RFC 6750 §3.1)."""
    with pytest.raises(Unauthenticated) as refused:
        read_bearer_token(header)
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}


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
    monkeypatch.setattr("shared.web.calls.auth.unix_now", lambda: now + 301.0)
    # The library keeps its own clock and still finds it good: what counts is that it was asked.
    assert await verifier.claims(token) is not first


async def test_token_for_longer_than_tokens_are_made_is_refused(
    authority: TestAuthority, keys: Keys
) -> None:
    now = int(time.time())
    await keys.verifier().claims(authority.token(iat=now, exp=now + 600))
    with pytest.raises(Unauthenticated, match="600 seconds"):
        await keys.verifier().claims(authority.token(iat=now, exp=now + 3_600))


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
        cache.keep(f"signed-{number}", held._replace(until=until), now=now)
    assert (len(cache), cache.characters) == (2, 2 * len("signed-0"))
    assert cache.get("signed-1") is None
