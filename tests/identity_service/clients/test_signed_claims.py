"""Claims, headers and requests of any shape are taken or refused, and never a fault of ours."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    generate_private_key as generate_rsa,
)
from hypothesis import given
from hypothesis import strategies as st

from identity_service.clients.signed_claims import JWS
from shared.web.calls.auth import read_bearer_token
from tests.access.model import tried
from tests.identity_service.calls import Identity
from tests.identity_service.client_acts import ADD_KEY, public
from tests.identity_service.signing_in import (
    KEY,
    SYSTEM,
    ask,
    ask_signed,
    assertion,
    refused,
    secret_form,
)
from tests.support.statements import statements

# Of JSON as it may come, also what no sender writes with good intent.
odd_json = st.one_of(
    st.sampled_from(
        [
            "1e400",
            "-1e400",
            "NaN",
            "Infinity",
            "1" * 5_000,
            "-1",
            "0",
            "1.5",
            "true",
            "null",
            '""',
            '"now"',
            '"9999999999"',
            '"\\ud800"',
            '"\\u0000"',
            "[]",
            "{}",
            "[[]]",
            '["https://lienthong.local"]',
            '["https://lienthong.local", 7]',
            "99999999999999999999",
            "253402300800",
            "[" * 3_000 + "]" * 3_000,
        ]
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ).map(json.dumps),
)
names = st.sampled_from(["iss", "sub", "aud", "exp", "jti", "nbf", "iat", "act", "x", "crit"])
header_names = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "cty", "zip"])
changes = st.dictionaries(names, odd_json, max_size=3)
header_changes = st.dictionaries(header_names, odd_json, max_size=2)


def members(good: Mapping[str, Any], over: Mapping[str, str]) -> bytes:
    texts = {name: json.dumps(value) for name, value in good.items()} | dict(over)
    text = ",".join(f"{json.dumps(name)}:{value}" for name, value in texts.items())
    return f"{{{text}}}".encode()


def signed(header: bytes, claims: bytes) -> str:
    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    unsigned = f"{part(header)}.{part(claims)}"
    return f"{unsigned}.{part(KEY.sign(unsigned.encode()))}"


def good_claims() -> dict[str, Any]:
    return {
        "iss": SYSTEM,
        "sub": SYSTEM,
        "aud": "https://lienthong.local",
        "exp": int(time.time()) + 60,
        "jti": uuid4().hex,
    }


@tried(200)
@given(changes, header_changes)
async def test_assertion_of_any_shape_gets_a_token_or_is_refused(
    identity: Identity, system: str, over: dict[str, str], header: dict[str, str]
) -> None:
    made = signed(
        members({"alg": "EdDSA", "kid": "first", "typ": "JWT"}, header),
        members(good_claims(), over),
    )
    answer = await ask_signed(identity, made)
    if answer.status_code != 200:
        assert answer.status_code in {400, 401}, answer.text
        assert answer.json()["error"] in {"invalid_client", "invalid_request"}


@tried(100)
@given(changes, header_changes)
async def test_proof_of_any_shape_is_refused(
    identity: Identity, system: str, over: dict[str, str], header: dict[str, str]
) -> None:
    claims = good_claims() | {"act": "add-key", "iat": int(time.time())}
    made = signed(
        members({"alg": "EdDSA", "kid": "first", "typ": "client-act+jwt"}, header),
        members(claims, over),
    )
    answer = await identity.call(
        ADD_KEY,
        at={"client_id": system},
        json=public(Ed25519PrivateKey.generate(), "second"),
        headers={"X-Client-Proof": made},
    )
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/proof-refused")


@pytest.mark.parametrize(
    "exp", ['"in a minute"', '"9999999999"', "true", "1e400", "NaN", "[]", "null", "1" * 400]
)
async def test_expiry_that_is_no_number_is_refused(
    identity: Identity, system: str, exp: str
) -> None:
    made = signed(
        members({"alg": "EdDSA", "kid": "first"}, {}), members(good_claims(), {"exp": exp})
    )
    refused(await ask_signed(identity, made), "invalid_client")


async def test_member_that_stands_twice_has_no_meaning(identity: Identity, system: str) -> None:
    claims = members(good_claims(), {})
    doubled = b'{"sub":"onestop-h26",' + claims[1:]
    made = signed(members({"alg": "EdDSA", "kid": "first"}, {}), doubled)
    refused(await ask_signed(identity, made), "invalid_client")


@tried(100)
@given(st.text(max_size=300) | st.text("abc.=-_", max_size=300))
async def test_text_of_any_kind_is_no_assertion(identity: Identity, text: str) -> None:
    answer = await ask_signed(identity, text.encode(errors="replace").decode())
    assert answer.status_code in {400, 401}, answer.text


@tried(100)
@given(
    st.dictionaries(
        st.sampled_from(
            ["grant_type", "client_id", "client_secret", "client_assertion", "scope"],
        ),
        st.text(max_size=40),
    ),
    st.none() | st.text(max_size=60),
)
async def test_token_request_of_any_shape_is_refused(
    identity: Identity, form: dict[str, str], credentials: str | None
) -> None:
    form = {name: each.encode(errors="replace").decode() for name, each in form.items()}
    headers = {}
    if credentials is not None:
        raw = credentials.encode(errors="surrogatepass")
        headers["Authorization"] = f"Basic {base64.b64encode(raw).decode()}"
    answer = await ask(identity, form, headers=headers)
    assert answer.status_code in {400, 401}, answer.text


@pytest.mark.parametrize(("client", "status"), [("onestop-h26", 200), ("onestop-h29", 400)])
async def test_one_request_names_one_client(identity: Identity, client: str, status: int) -> None:
    secret = secret_form(identity.settings, "onestop-h26")["client_secret"]
    form = {"grant_type": "client_credentials", "client_id": client}
    basic = base64.b64encode(f"onestop-h26:{secret}".encode()).decode()
    answer = await ask(identity, form, headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == status
    if status == 400:
        assert "one client" in refused(answer, "invalid_request", 400)


@pytest.mark.parametrize("spaces", [1, 2, 5])
async def test_spaces_after_the_scheme_are_as_many_as_one(identity: Identity, spaces: int) -> None:
    secret = secret_form(identity.settings, "onestop-h26")["client_secret"]
    basic = base64.b64encode(f"onestop-h26:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    answer = await ask(identity, form, headers={"Authorization": f"Basic{' ' * spaces}{basic}"})
    assert answer.status_code == 200
    assert read_bearer_token(f"Bearer{' ' * spaces}a.b.c") == "a.b.c"


KEYS: Mapping[str, Any] = {
    "Ed25519": Ed25519PrivateKey.generate(),
    "EdDSA": Ed25519PrivateKey.generate(),
    "ES256": generate_private_key(SECP256R1()),
    "PS256": generate_rsa(65537, 2048),
    "RS256": generate_rsa(65537, 2048),
}


def reads_client(statement: str) -> bool:
    """Return False for the reading of the signing keys, which is due every few seconds."""
    return "signing_key" not in statement


@pytest.mark.parametrize("algorithm", KEYS)
async def test_unknown_client_costs_what_a_known_one_costs(
    identity: Identity, system: str, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in statements and verifications: a time would tell of the machine too."""
    verified: list[str] = []
    verify = JWS.decode

    def count(*args: Any, **how: Any) -> Any:
        verified.append(args[0])
        return verify(*args, **how)

    monkeypatch.setattr(JWS, "decode", count)
    costs = set()
    cases = {
        "unknown": ("nobody-at-all", "first"),
        "no id": ("nul\0", "first"),
        "unknown key": (system, "no-such-key"),
        "no key": ("onestop-h26", "first"),
        "forged, or by a key of another type": (system, "first"),
    }
    for client, kid in cases.values():
        verified.clear()
        claims = good_claims() | {"iss": client, "sub": client}
        text = json.dumps(claims).encode()
        made = JWS.encode(text, KEYS[algorithm], algorithm, {"kid": kid})
        with statements(identity.app.state.sessions, reads_client) as seen:
            refused(await ask_signed(identity, made), "invalid_client")
        costs.add((tuple(seen), len(verified)))
    assert len(costs) == 1
    assert next(iter(costs))[1] == 1


async def test_unknown_client_with_a_secret_costs_what_a_known_one_costs(
    identity: Identity, system: str
) -> None:
    form = secret_form(identity.settings, "onestop-h26")
    costs = set()
    for client in ("onestop-h26", "nobody-at-all", "nul\0", system, "Với dấu"):
        with statements(identity.app.state.sessions, reads_client) as seen:
            wrong = form | {"client_id": client, "client_secret": "x"}
            refused(await ask(identity, wrong), "invalid_client")
        costs.add(tuple(seen))
    assert len(costs) == 1


async def test_typ_of_another_statement_is_refused(identity: Identity, system: str) -> None:
    for kind in ("JWT", "jwt", "client-authentication+jwt", None):
        assert (await ask_signed(identity, assertion(headers={"typ": kind}))).status_code == 200
    for kind in ("at+jwt", "client-act+jwt", "dpop+jwt"):
        refused(await ask_signed(identity, assertion(headers={"typ": kind})), "invalid_client")
