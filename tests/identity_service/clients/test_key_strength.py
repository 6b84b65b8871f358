"""A key that others can forge for is neither registered nor taken for a signature."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.rsa import (
    generate_private_key as generate_rsa,
)
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from identity_service.clients.jwk import EXAMPLE, KeyTooWeakError, check_public_jwk
from identity_service.clients.models import ClientKey
from tests.access.model import tried
from tests.identity_service.calls import Identity
from tests.identity_service.client_acts import ADD_KEY, register_keyed
from tests.identity_service.signing_in import ask_signed, refused

P = 2**255 - 19
ORDER_8_Y = (
    2707385501144840649318225287225658788936804267575313519463743609750303402022,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
)
SMALL_ORDER_Y = (0, 1, P - 1, *ORDER_8_Y)
# In all the ways that some reader takes for one of these points: above the field, of either sign.
SMALL_ORDER = sorted(
    {
        (y | sign << 255)
        for each in SMALL_ORDER_Y
        for y in (each, each + P)
        if y < 2**255
        for sign in (0, 1)
    }
)
STRONG = generate_rsa(65537, 2048).public_key().public_numbers()


def encoded(number: int, length: int, order: Any = "big") -> str:
    return base64.urlsafe_b64encode(number.to_bytes(length, order)).decode().rstrip("=")


def okp(y: int) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "x": encoded(y, 32, "little")}


def rsa(modulus: int, exponent: int = 65_537) -> dict[str, Any]:
    """As text: the library makes no such key itself."""
    parts = {"n": modulus, "e": exponent}
    return {"kty": "RSA"} | {
        name: encoded(part, max(1, (part.bit_length() + 7) // 8)) for name, part in parts.items()
    }


@pytest.mark.parametrize("y", SMALL_ORDER)
def test_point_of_low_order_is_no_key(y: int) -> None:
    with pytest.raises(ValueError, match="key"):
        check_public_jwk(okp(y))


@tried(100)
@given(st.binary(min_size=32, max_size=32))
def test_bytes_that_are_no_point_are_no_key(raw: bytes) -> None:
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    d = -121_665 * pow(121_666, P - 2, P) % P
    square = (y * y - 1) * pow(d * y * y + 1, P - 2, P) % P
    on_curve = y < P and pow(square, (P - 1) // 2, P) in {0, 1}
    try:
        check_public_jwk(okp(int.from_bytes(raw, "little")))
    except ValueError:
        assert not on_curve or y in SMALL_ORDER_Y
    else:
        assert on_curve


@tried(100)
@given(st.binary(min_size=32, max_size=32))
def test_key_that_a_library_makes_is_taken(seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert check_public_jwk(OKPAlgorithm.to_jwk(key.public_key(), as_dict=True))


@pytest.mark.parametrize(
    "weak",
    [
        rsa(STRONG.n, exponent)
        for exponent in (0, 1, 2, 3, 17, 257, 65_535, 65_536, 65_538, 2**64, 2**64 + 1, 2**2047 + 1)
    ]
    + [
        rsa(STRONG.n & ~1),
        rsa(STRONG.n // 2 | 1),
        rsa(2**2048),
        rsa(2**4096 + 1),
        rsa(2**16_384 - 1),
        rsa(2**131_072 - 1),
        rsa(0),
        rsa(1),
    ],
    ids=lambda jwk: f"{len(jwk['n'])}-{jwk['e'][:12]}",
)
def test_modulus_or_exponent_out_of_bounds_is_no_key(weak: dict[str, Any]) -> None:
    """The largest moduli would cost minutes; a good key that is new is judged in the same run."""
    new = rsa(generate_rsa(65537, 2048).public_key().public_numbers().n)
    began = time.process_time()
    assert check_public_jwk(new)
    good_s, began = time.process_time() - began, time.process_time()
    with pytest.raises(ValueError, match="key"):
        check_public_jwk(weak)
    assert time.process_time() - began < 20 * good_s


odd = st.integers(min_value=2**1023, max_value=2**1024 - 1).map(lambda number: number | 1)


@tried(50)
@given(st.integers(min_value=2**2040, max_value=2**2047), st.integers(min_value=1, max_value=4_999))
def test_modulus_with_a_small_factor_is_no_key(rest: int, half: int) -> None:
    with pytest.raises(KeyTooWeakError):
        check_public_jwk(rsa((rest | 1) * (2 * half + 1)))


@tried(30)
@given(odd, st.integers(min_value=0, max_value=10**6))
def test_modulus_of_two_near_factors_is_no_key(middle: int, apart: int) -> None:
    modulus = (middle - 2 * apart) * (middle + 2 * apart)
    with pytest.raises(KeyTooWeakError):
        check_public_jwk(rsa(modulus))


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_rsa_keys_of_usual_lengths_are_taken(bits: int) -> None:
    for algorithm in ("PS256", "RS256"):
        jwk = RSAAlgorithm.to_jwk(generate_rsa(65537, bits).public_key(), as_dict=True)
        assert check_public_jwk(jwk | {"alg": algorithm})["alg"] == algorithm


@pytest.mark.parametrize(
    "spoilt",
    ["{}=", "{}==", " {}", "{}\n", "{}\0", "!{}", "{}.", "{}+/", "é{}", "\ud800"],
    ids=ascii,
)
def test_member_that_is_no_canonical_base64url_is_no_key(spoilt: str) -> None:
    jwk = okp(0) | {"x": EXAMPLE["x"]}
    with pytest.raises(ValueError, match="key"):
        check_public_jwk(jwk | {"x": spoilt.format(jwk["x"])})
    last = jwk["x"][-1]
    other = chr(ord(last) + 1)  # the same bytes, as the last sign holds only four bits of them
    with pytest.raises(ValueError, match="key"):
        check_public_jwk(jwk | {"x": jwk["x"][:-1] + other})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
member_values = st.one_of(
    json_values,
    st.sampled_from(["EC", "OKP", "RSA", "oct", "P-256", "Ed25519", "AQAB", EXAMPLE["x"], "AA"]),
    st.text("ABCabc019_-", max_size=60),
)
jwks = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "d", "k"]) | st.text(),
    member_values,
    max_size=6,
)


@tried(150)
@given(jwks)
async def test_key_of_any_shape_is_taken_or_refused(identity: Identity, jwk: Any) -> None:
    try:
        body = json.dumps(jwk, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        body = json.dumps(jwk).encode()
    headers = {"Content-Type": "application/json"}
    answer = await identity.call(
        ADD_KEY, at={"client_id": "onestop-h26"}, content=body, headers=headers
    )
    assert answer.status_code in {202, 422}, answer.text


@pytest.mark.parametrize("weak", [okp(1), okp(ORDER_8_Y[0]), rsa(STRONG.n & ~1), rsa(STRONG.n, 3)])
async def test_weak_key_of_before_signs_nothing(identity: Identity, weak: dict[str, Any]) -> None:
    """Such a key may stand in the registry since a time that knew no better."""
    client, _ = await register_keyed(identity)
    algorithm = "EdDSA" if weak["kty"] == "OKP" else "RS256"
    jwk = weak | {"kid": "weak", "alg": algorithm}
    async with identity.app.state.sessions.begin() as session:
        session.add(ClientKey(client_id=client, kid="weak", jwk=jwk, added_at=datetime.now(UTC)))
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": "https://lienthong.local"}
    claims |= {"exp": now + 60, "jti": uuid4().hex}  # type: ignore[dict-item]
    parts = [{"alg": algorithm, "kid": "weak"}, claims]
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    # Under the neutral point it holds for whatever is said.
    forged = base64.urlsafe_b64encode(bytes([1]) + bytes(63)).decode().rstrip("=")
    answer = await ask_signed(identity, f"{unsigned}.{forged}")
    assert "weak" in refused(answer, "invalid_client")


def test_example_of_the_api_is_a_key_of_nobody() -> None:
    """The private half of RFC 8037's own example is known to everybody."""
    published = Ed25519PrivateKey.from_private_bytes(
        base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    )
    public = OKPAlgorithm.to_jwk(published.public_key(), as_dict=True)
    assert EXAMPLE["x"] != public["x"]
    assert check_public_jwk(EXAMPLE)


def test_numbers_of_a_strong_key_are_kept_as_they_are() -> None:
    jwk = rsa(STRONG.n)
    kept = check_public_jwk(jwk)
    assert RSAPublicNumbers(STRONG.e, STRONG.n) == STRONG
    assert (kept["n"], kept["e"]) == (jwk["n"], "AQAB")
