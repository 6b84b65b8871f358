"""Every answer of the gateway names its request, however early it was refused.

Two answers come from the HTTP server before the gateway sees a request, and name none: 400 to bytes
that are no HTTP request, and 431 to a head beyond its bounds (`tests/proxy` holds them).
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from uuid import UUID

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from gateway.ledger.problems import LedgerAway
from gateway.operations.model import QuotaClass
from gateway.operations.quotas import DEFAULT_QUOTAS, Quota
from gateway.operations.table import OPERATIONS
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import FILE, LIST, READ, VERIFY, Gate, make_grant

SENT = "request-17"
ONE = READ.format(code="H26-2026-000001")
SEALS = "GET /ledger/v1/seals"
PUBLIC = "GET /.well-known/oauth-authorization-server"
Headers = dict[str, str | None]
Ask = Callable[[Gate, str, Headers], Awaitable[httpx.Response]]


def ask(operation: str, **rest: object) -> Ask:
    """Ask with a right to everything; `headers` of `rest` come beside those of the test."""
    own = rest.pop("headers", {})

    async def send(gate: Gate, client: str, headers: Headers) -> httpx.Response:
        merged = {**headers, **own}  # type: ignore[dict-item]
        return await gate.ask(operation, client=client, headers=merged, **rest)  # type: ignore[arg-type]

    return send


def ask_without_right(operation: str) -> Ask:
    async def send(gate: Gate, _: str, headers: Headers) -> httpx.Response:
        return await gate.ask(operation, client="nobody", headers=headers)

    return send


def ask_again(path: str) -> Ask:
    """Ask for a document that the caller has."""

    async def send(gate: Gate, client: str, headers: Headers) -> httpx.Response:
        tag = (await gate.http.get(path)).headers["ETag"]
        return await ask(f"GET {path}", headers={"If-None-Match": tag})(gate, client, headers)

    return send


async def ask_with_two_purposes(gate: Gate, client: str, headers: Headers) -> httpx.Response:
    token = f"Bearer {gate.authority.token(client)}"
    lines = {"Authorization": token, **headers}
    sent = [(name, value) for name, value in lines.items() if value]
    purposes = [("X-Purpose", "1.001193"), ("X-Purpose", "1.001193")]
    return await gate.http.get(LIST.split()[1], headers=[*sent, *purposes])


NO_TOKEN: Headers = {"Authorization": None}
KINDS: dict[str, tuple[int, Ask]] = {
    "200 of a service": (200, ask(LIST)),
    "200 with personal data": (200, ask(ONE)),
    "200 of the gateway itself": (200, ask(SEALS)),
    "200 without a token": (200, ask(PUBLIC, headers=NO_TOKEN)),
    "200 to HEAD": (200, ask(PUBLIC.replace("GET", "HEAD"), headers=NO_TOKEN)),
    "200: API document": (200, ask("GET /openapi.json")),
    "200: API pages": (200, ask("GET /docs")),
    "200: file of the pages": (200, ask("GET /docs/files/swagger-ui.css")),
    "200: page of a problem": (200, ask("GET /problems/not-allowed")),
    "200: keys": (200, ask("GET /.well-known/right-keys.json")),
    "200: health": (200, ask("GET /healthz")),
    "200: metrics": (200, ask("GET /metrics")),
    "304 of a published document": (304, ask_again("/openapi.json")),
    "307: start": (307, ask("GET /")),
    "400: no purpose": (400, ask(VERIFY, headers={"X-Purpose": None})),
    "400: two purposes": (400, ask_with_two_purposes),
    "400: Host, before routing": (400, ask("GET /docs", headers={"Host": "a b"})),
    "400: Host of an operation": (400, ask(LIST, headers={"Host": "a b"})),
    "401": (401, ask(LIST, headers=NO_TOKEN)),
    "401 of the gateway itself": (401, ask(SEALS, headers={"Authorization": "Bearer none"})),
    "403": (403, ask_without_right(LIST)),
    "403 of the gateway itself": (403, ask_without_right(SEALS)),
    "404: path": (404, ask("GET /nothing")),
    "404: path in another spelling": (404, ask("GET /%64ocs")),
    "404: file": (404, ask("GET /docs/files/none.css")),
    "404: page of a problem": (404, ask("GET /problems/none")),
    "405 of an operation": (405, ask(LIST.replace("GET", "PUT"))),
    "405 to HEAD": (405, ask(LIST.replace("GET", "HEAD"))),
    "405 of a page": (405, ask("POST /docs")),
    "413": (413, ask(LIST, content=b"x")),
    "413: too long": (413, ask(FILE, content=b" " * 1_100_000)),
    "415": (415, ask(FILE, content=b"{}", headers={"Content-Encoding": "gzip"})),
    "417": (417, ask(FILE, content=b"{}", headers={"Expect": "tea"})),
}


@pytest.fixture
async def holder(gate: Gate) -> str:
    return await gate.newcomer(make_grant(operations=list(OPERATIONS), agencies=None))


def assert_named(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers.get_list("X-Request-Id") == [SENT]


@pytest.mark.parametrize(("status", "send"), KINDS.values(), ids=KINDS)
async def test_answer_names_the_request(gate: Gate, holder: str, status: int, send: Ask) -> None:
    assert_named(await send(gate, holder, {"X-Request-Id": SENT}), status)
    for unfit in (None, "short", "079203001234", "a b c d e f"):
        answer = await send(gate, holder, {"X-Request-Id": unfit})
        [own] = answer.headers.get_list("X-Request-Id")
        assert str(UUID(own)) == own


@pytest.mark.parametrize("status", [200, 304, 404, 409, 500, 503])
async def test_answer_of_a_service_names_the_request_of_the_caller(
    gate: Gate, holder: str, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def answer() -> Response:
        headers = {"X-Subject": SUBJECT, "X-Request-Id": "id-of-the-service"}
        return JSONResponse({}, status, headers=headers)

    monkeypatch.setattr(gate.services, "answer", answer)
    for operation in (LIST, ONE, PUBLIC):
        assert_named(await ask(operation)(gate, holder, {"X-Request-Id": SENT}), status)


async def test_answer_that_is_withheld_names_the_request(
    gate: Gate, holder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.services, "answer", lambda: JSONResponse({}))
    assert_named(await ask(ONE)(gate, holder, {"X-Request-Id": SENT}), HTTPStatus.BAD_GATEWAY)


@pytest.mark.parametrize("operation", [VERIFY, "GET /ledger/v1/records"])
async def test_call_that_cannot_be_recorded_names_the_request(
    gate: Gate, holder: str, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def refuse(*_: object) -> None:
        raise LedgerAway

    monkeypatch.setattr(gate.admission._ledger, "require_open", refuse)
    answer = await ask(operation)(gate, holder, {"X-Request-Id": SENT})
    assert_named(answer, HTTPStatus.SERVICE_UNAVAILABLE)


@pytest.mark.usefixtures("stopped_quota_clock")
@pytest.mark.parametrize(
    ("operation", "quota_class"),
    [
        (LIST, QuotaClass.READ),
        (SEALS, QuotaClass.READ),
        ("GET /docs", QuotaClass.OPEN),
        ("PUT /docs", QuotaClass.OPEN),
    ],
)
async def test_call_beyond_the_quota_names_the_request(
    gate: Gate,
    holder: str,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    quota_class: QuotaClass,
) -> None:
    none = {**DEFAULT_QUOTAS, quota_class: Quota(0, 61)}
    monkeypatch.setattr(gate.admission._quotas, "_defaults", none)
    answer = await ask(operation)(gate, holder, {"X-Request-Id": SENT})
    assert_named(answer, HTTPStatus.TOO_MANY_REQUESTS)
