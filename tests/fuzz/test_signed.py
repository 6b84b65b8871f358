"""What was signed holds as it is, and in no other form."""

import io
import json
import runpy
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ledger.chain.audit import verify_chain
from gateway.ledger.chain.keys import compute_key_id, encode_public_pem
from gateway.ledger.chain.seals import START, SealedBatch, prove_batch_record, seal_record_batch
from shared.runtime.app import AUDIENCE
from shared.web.calls.auth import KeySet, Unauthenticated, Verifier, read_bearer_token
from tests.conftest import MORE
from tests.fuzz.texts import JSON
from tests.support.factories import ISSUER, TOKEN_KEY, TestAuthority

SCRIPT = Path(__file__).parents[2] / "deploy/verify_proof.py"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
RECORDS = [json.dumps({"id": f"record-{number}"}).encode() for number in range(4)]
AUTHORITY = TestAuthority()
TOKEN = AUTHORITY.token()


def sealed(*records: bytes) -> SealedBatch:
    at = datetime(2026, 11, 2, tzinfo=UTC)
    return seal_record_batch(records, chain="gateway-1", after=START, at=at, key=KEY)


BATCH = sealed(*RECORDS)
BUNDLES = [prove_batch_record(BATCH, index, KEY.public_key()).model_dump() for index in range(4)]


@pytest.fixture(scope="module")
async def verifier() -> AsyncIterator[Verifier]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(AUTHORITY._keys)) as http:
        keys = KeySet(http, "http://identity/jwks.json")
        yield Verifier(keys, issuer=ISSUER, audience=AUDIENCE)


def _unsigned(header: Any, claims: Any) -> str:
    parts = [jwt.utils.base64url_encode(json.dumps(part).encode()) for part in (header, claims)]
    return b".".join([*parts, b""]).decode()


@st.composite
def _changed_token(draw: st.DrawFn) -> str:
    """One character of what is signed is another one."""
    at = draw(st.integers(0, TOKEN.rindex(".") - 1))
    other = draw(st.sampled_from("AbZ09-_.=").filter(lambda put: put != TOKEN[at]))
    return TOKEN[:at] + other + TOKEN[at + 1 :]


CLAIMS = jwt.decode(TOKEN, options={"verify_signature": False})
FORGED = st.one_of(
    st.text(max_size=80),
    st.builds(_unsigned, JSON, JSON),
    st.builds(
        lambda alg, kid: _unsigned({"alg": alg, "kid": kid, "typ": "JWT"}, CLAIMS),
        st.sampled_from(["none", "None", "HS256", "ES256", "EdDSA", "", "RS256"]) | JSON,
        st.just(TOKEN_KEY) | JSON,
    ),
    _changed_token(),
    st.builds(str.__add__, st.just(TOKEN), st.text(min_size=1, max_size=4)),
)


@given(token=FORGED)
async def test_token_that_was_not_issued_is_refused(verifier: Verifier, token: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier.claims(token)


@given(
    claims=st.dictionaries(
        st.sampled_from(["exp", "iat", "sub", "iss", "aud", "nbf", "jti"]), JSON, min_size=1
    )
)
async def test_signed_claims_of_any_shape_are_read_or_refused(
    verifier: Verifier, claims: dict[str, Any]
) -> None:
    try:
        read = await verifier.claims(AUTHORITY.token(**claims))
    except (Unauthenticated, TypeError) as error:
        # PyJWT does not sign every claim: then there is no token to be read.
        assert isinstance(error, Unauthenticated) or "must be" in str(error)  # noqa: PT017
    else:
        assert read["iss"] == ISSUER


@given(header=st.none() | st.text(max_size=60))
def test_authorization_is_read_or_refused(header: str | None) -> None:
    try:
        token = read_bearer_token(header)
    except Unauthenticated:
        return
    assert header is not None
    assert header.endswith(token)


@given(at=st.integers(0, 3), put=st.binary(max_size=30))
def test_changed_record_is_found(at: int, put: bytes) -> None:
    records = [*RECORDS[:at], put, *RECORDS[at + 1 :]]
    stored = SealedBatch(BATCH.header, BATCH.signature, BATCH.leaves, tuple(records))
    keys = {compute_key_id(KEY.public_key()): KEY.public_key()}
    assert verify_chain([BATCH], keys, chain="gateway-1") == []
    assert verify_chain([stored], keys, chain="gateway-1")


@given(
    header=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
    signature=st.binary(max_size=70),
)
def test_forged_batch_is_found(header: bytes, signature: bytes) -> None:
    keys = {compute_key_id(KEY.public_key()): KEY.public_key()}
    for forged in (
        SealedBatch(header, KEY.sign(header), BATCH.leaves, BATCH.records),
        SealedBatch(BATCH.header, signature, BATCH.leaves, BATCH.records),
    ):
        assert verify_chain([forged], keys, chain="gateway-1")


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "record": st.text(max_size=20),
    "index": st.integers(-9, 9) | st.just(2.5),
    "path": st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=3),
    "header": st.text(max_size=20) | st.just(BATCH.header.decode() + " "),
    "signature": st.binary(max_size=64).map(lambda raw: b64encode(raw).decode()),
}


@pytest.mark.parametrize("member", CHANGES)
@settings(max_examples=12 * MORE, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_proof_that_was_changed_proves_nothing(
    member: str, data: st.DataObject, tmp_path: Path
) -> None:
    bundle = data.draw(st.sampled_from(BUNDLES))
    changed = data.draw(CHANGES[member].filter(lambda put: put != bundle[member]))
    assert "PROVED" in _said(bundle, tmp_path)
    assert "PROVED" not in _said(bundle | {member: changed}, tmp_path)


def _said(bundle: dict[str, Any], folder: Path) -> str:
    """What `verify_proof.py` prints; nothing where it ends with an error."""
    told, key = folder / "bundle.json", folder / "key.pem"
    told.write_text(json.dumps(bundle))
    key.write_bytes(encode_public_pem(KEY.public_key()))
    printed, arguments = io.StringIO(), sys.argv
    sys.argv = [str(SCRIPT), str(told), str(key)]
    try:
        with redirect_stdout(printed), redirect_stderr(io.StringIO()):
            runpy.run_path(str(SCRIPT), run_name="__main__")
    except (SystemExit, ValueError, TypeError, KeyError, IndexError):
        return ""
    finally:
        sys.argv = arguments
    return printed.getvalue()
