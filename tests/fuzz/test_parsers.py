"""A parser reads a text or refuses it as it says; the form that it takes is canonical."""

import json
import re
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.types import Scope

from gateway.access.authorization import _caller_headers
from gateway.api_docs.openapi import _SHAPES
from gateway.operations.matching import Match, MethodNotAllowed, NotFound, match_operation
from gateway.operations.problems import RequestMalformed
from gateway.proxy.headers import split_headers
from gateway.purposes.explanation import MAX_PURPOSE_LENGTH
from identity_service.clients.jwk import check_public_jwk
from identity_service.clients.problems import TokenRefused
from identity_service.tokens.routes import _parse_basic, _parse_form
from shared.codes.dossier import DossierCode, parse_dossier_code
from shared.web.bodies.strict_json import loads_strict
from shared.web.bodies.strict_parsing import IsoDay, IsoInstant
from shared.web.etag import TAGS, Precondition, PreconditionUnreadable
from shared.web.pagination import CursorUnreadable, Keyset, read_cursor, write_cursor
from sync_service.indicators.periods import parse_period
from sync_service.indicators.problems import PeriodUnreadable
from tests.fuzz.texts import JSON, NEARLY


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_cursor_is_read_or_refused(text: str) -> None:
    try:
        key = read_cursor(text)
    except CursorUnreadable:
        return
    with pytest.raises(CursorUnreadable):
        Keyset(limit=1, after=(*key, 0), of_list="").key(*[str] * len(key))


@given(key=st.lists(st.text(max_size=9) | st.integers(0, 2**31), min_size=1, max_size=3))
def test_cursor_says_the_key_that_it_was_made_of(key: list[Any]) -> None:
    assert read_cursor(write_cursor(tuple(key))) == tuple(key)


@given(content=JSON, kinds=st.lists(st.sampled_from([int, str, IsoInstant, DossierCode])))
def test_cursor_of_another_list_fits_or_is_refused(content: Any, kinds: list[Any]) -> None:
    cursor = urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")
    try:
        key = Keyset(limit=1, after=read_cursor(cursor), of_list="").key(*kinds)
    except CursorUnreadable:
        return
    assert key is not None
    assert len(key) == len(kinds)


@given(text=NEARLY | st.lists(st.integers(0, 99).map('"{}"'.format)).map(", ".join))
def test_precondition_is_met_by_the_very_tag_that_it_names(text: str) -> None:
    try:
        sent = text.encode(errors="surrogatepass")
        condition = Precondition.of(Headers(raw=[(b"if-match", sent), (b"if-none-match", sent)]))
    except PreconditionUnreadable:
        assert not TAGS.fullmatch(text)
        return
    met = [n for n in range(100) if condition.is_met(f'"{n}"')]
    named = re.findall(r'(?:^|[ \t,])"(0|[1-9][0-9]?)"', text)
    assert met == (list(range(100)) if text == "*" else sorted({int(each) for each in named}))
    assert all(condition.is_known(f'"{n}"') for n in met)


@given(text=NEARLY)
@example(text="2026-11-02T00:00:00")
@example(text="1e9")
def test_day_is_written_one_way(text: str) -> None:
    try:
        day = TypeAdapter(IsoDay).validate_python(text)
    except ValidationError:
        return
    assert day.isoformat() == text


@given(text=NEARLY)
def test_period_is_read_or_refused(text: str) -> None:
    try:
        period = parse_period(text)
    except PeriodUnreadable:
        return
    spans = list(period.list_spans())
    assert spans[0].first == period.first
    assert spans[-1].last == period.last


@given(body=st.binary(max_size=80) | JSON.map(orjson.dumps) | NEARLY.map(str.encode))
def test_json_is_read_as_everybody_reads_it_or_refused(body: bytes) -> None:
    try:
        read = loads_strict(body)
    except json.JSONDecodeError:
        return
    assert json.loads(json.dumps(read, allow_nan=False)) == read


@given(jwk=st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "kid"]), JSON))
@example(jwk={"kty": "OKP", "crv": "Ed25519", "x": "\ud800"})
@example(jwk={"kty": "RSA", "n": "AQAB", "e": "AA"})
def test_public_key_is_taken_or_refused(jwk: dict[str, Any]) -> None:
    try:
        kept = check_public_jwk(jwk)
    except ValueError:
        return
    assert check_public_jwk(kept) == kept


@given(body=st.binary(max_size=80) | NEARLY.map(str.encode), kind=NEARLY)
@example(body=b"grant_type=%ff", kind="application/x-www-form-urlencoded")
@example(body=b"a=1&a=2", kind="application/x-www-form-urlencoded; charset=utf-8")
def test_form_is_read_or_refused(body: bytes, kind: str) -> None:
    for content_type in (kind, "application/x-www-form-urlencoded"):
        try:
            assert all(_parse_form(content_type, body))
        except TokenRefused:
            continue


@given(text=NEARLY | st.binary(max_size=60).map(lambda raw: "Basic " + _base64(raw)))
def test_basic_credentials_are_read_or_refused(text: str) -> None:
    try:
        proof = _parse_basic(text)
    except TokenRefused:
        return
    assert isinstance(proof.client_id, str)


def _base64(raw: bytes) -> str:
    return jwt.utils.base64url_encode(raw).decode()


@given(method=st.sampled_from(["GET", "POST", "HEAD", "get", "", "X"]), path=st.text(max_size=80))
@example(method="GET", path="/dossier/v1/dossiers/..%2f..")
@example(method="GET", path="/dossier/v1/dossiers//history")
def test_path_names_an_operation_or_nothing(method: str, path: str) -> None:
    match match_operation(method, path):
        case Match(operation, parameters):
            assert operation.template.format(**parameters) == path
        case MethodNotAllowed(allowed):
            assert method not in allowed
        case found:
            assert found == NotFound()


@given(headers=st.lists(st.tuples(st.sampled_from([b"x-purpose", b"x-officer"]), st.binary())))
def test_what_a_caller_says_of_itself_is_read_or_refused(
    headers: list[tuple[bytes, bytes]],
) -> None:
    scope: Scope = {"type": "http", "headers": headers}
    try:
        told = _caller_headers(scope)
    except RequestMalformed:
        return
    assert len(told) == len(headers)


@given(text=st.text(max_size=210))
def test_purpose_that_the_description_allows_is_printable(text: str) -> None:
    if Draft202012Validator(_SHAPES["X-Purpose"]).is_valid(text) and text.isascii():
        assert 0 < len(text.strip()) <= MAX_PURPOSE_LENGTH
        assert text.isprintable()


@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"X-Subject", b"X-Fields", b"X-Dossier", b"Connection", b"Via"]),
            st.binary(max_size=30),
        )
    )
)
def test_answer_of_any_service_tells_the_ledger_only_what_is_well_formed(
    headers: list[tuple[bytes, bytes]],
) -> None:
    answer = split_headers(headers, "request-1")
    assert not {name for name, _ in answer.outer} & {b"x-subject", b"x-fields", b"x-dossier"}
    assert answer.dossier is None or parse_dossier_code(answer.dossier)
