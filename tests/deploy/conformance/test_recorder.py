"""The trace holds codes, times and keyed digests: no person, no secret."""

import base64
import json

import jwt
import pytest

from deploy.conformance.messages import Answer, Request
from deploy.conformance.recorder import Recorder
from deploy.conformance.report import _describe_call
from deploy.conformance.trace import Call

CLIENT = "onestop-h26"
TOKEN = jwt.encode({"sub": CLIENT}, "k" * 32, "HS256")
NAME, NUMBER, KEY = "Nguyễn Văn An", "001090000001", "6f1c1d9e-6c2b-4f57-9d3c-0f6f1b7e1a55"


def make_request(
    method: str, target: str, headers: dict[str, str] | None = None, body: object = None
) -> Request:
    path, _, query = target.partition("?")
    lines = {"authorization": f"Bearer {TOKEN}", **(headers or {})}
    raw = tuple((name.encode(), value.encode()) for name, value in lines.items())
    return Request(method, path, query, raw, b"" if body is None else json.dumps(body).encode())


def record(request: Request, answer: Answer | None = None) -> Call:
    recorder = Recorder(CLIENT)
    call = recorder.open_call(request, "ordinary")
    assert call
    return recorder.close_call(call, answer)


def test_trace_and_report_hold_no_personal_data_and_no_secret() -> None:
    person = {"personal_number": NUMBER, "full_name": NAME, "birth_date": "1990-05-14"}
    headers = {"x-purpose": "1.001193", "x-officer": "officer-17", "idempotency-key": KEY}
    request = make_request("POST", "/identity/v1/verifications", headers, person)
    content = {"result": "MATCH", "code": NUMBER, "next": NAME, "type": NAME}
    answer = Answer(200, ((b"etag", b'"7"'),), json.dumps(content).encode())
    call = record(request, answer)
    texts = f"{call!r} {_describe_call(call)!r}"
    for secret in (NAME, NUMBER, KEY, TOKEN, "officer-17", "1990"):
        assert secret not in texts
    assert (call.has_purpose, call.has_officer, call.status) == (True, True, 200)


def test_digests_of_two_runs_cannot_be_compared() -> None:
    request = make_request("POST", "/dossier/v1/dossiers", body={"name": NAME})
    assert record(request).body != record(request).body


@pytest.mark.parametrize(
    ("target", "headers", "found"),
    [
        (f"/dossier/v1/dossiers?q={NUMBER}", {}, True),
        (f"/dossier/v1/dossiers/{NUMBER}", {}, True),
        ("/dossier/v1/dossiers?q=001%20090%20000001", {}, True),
        ("/dossier/v1/dossiers", {"x-officer": NUMBER}, True),
        ("/dossier/v1/dossiers?filed_from=2026-11-01&limit=100", {}, False),
        ("/dossier/v1/dossiers/H26.101-261130-0001", {}, False),
        ("/dossier/v1/dossiers", {"x-request-id": KEY}, False),
        (f"/dossier/v1/dossiers?after={NUMBER}", {}, False),
    ],
)
def test_number_in_an_address_or_header_is_found(
    target: str, headers: dict[str, str], found: bool
) -> None:
    assert record(make_request("GET", target, headers)).holds_number is found


def test_pages_of_a_list_have_the_same_filters() -> None:
    recorder = Recorder(CLIENT)
    targets = ("?q=a&limit=2", "?after=n&q=a", "?q=b")
    calls = [
        recorder.open_call(make_request("GET", f"/dossier/v1/procedures{target}"), "pages")
        for target in targets
    ]
    first, second, other = (call.query for call in calls if call)
    assert first == second != other


def make_token_request(headers: dict[str, str], form: str) -> Request:
    lines = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return Request("POST", "/oauth/token", "", lines, form.encode())


@pytest.mark.parametrize("client", [CLIENT, "another"])
def test_calls_of_the_judged_client_alone_are_recorded(client: str) -> None:
    token = jwt.encode({"sub": client}, "k" * 32, "HS256")
    basic = base64.b64encode(f"{client}:secret".encode()).decode()
    requests = [
        make_token_request({"authorization": f"Basic {basic}"}, "grant_type=client_credentials"),
        make_token_request({}, f"client_id={client}&client_secret=secret"),
        make_token_request({}, f"client_assertion={token}"),
        make_request("GET", "/dossier/v1/dossiers", {"authorization": f"Bearer {token}"}),
    ]
    recorded = [Recorder(CLIENT).open_call(request, "ordinary") for request in requests]
    assert [call is not None for call in recorded] == [client == CLIENT] * len(requests)


def test_call_without_a_token_is_held_against_the_client_and_a_public_one_is_not() -> None:
    recorder = Recorder(CLIENT)
    unproven = make_request("GET", "/dossier/v1/dossiers", {"authorization": ""})
    public = make_request("GET", "/.well-known/jwks.json", {"authorization": ""})
    assert recorder.open_call(unproven, "ordinary")
    assert recorder.open_call(public, "ordinary") is None
