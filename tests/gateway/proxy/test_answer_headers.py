"""Every answer of the gateway says to caches and browsers how it may be used."""

import re
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import Gate, make_grant

PUBLIC = [each for each in OPERATIONS.values() if each.public and each.method == "GET"]
RESTRICTED = [each for each in OPERATIONS.values() if each not in PUBLIC]
SAMPLES = {"code": "H26-2026-000001", "record_id": "00000000-0000-4000-8000-000000000000"}
KEY_SETS = ["/.well-known/right-keys.json", "/.well-known/ledger-keys.json"]
LEGAL_BASES = "/.well-known/legal-bases.json"
PAGES = ["/docs", "/docs/files/swagger-ui.css", "/problems", "/problems/not-allowed"]
DOCUMENTS = ["/openapi.json", "/", *PAGES, *KEY_SETS, LEGAL_BASES]
MISSING = ["/nothing", "/docs/files/none.css", "/problems/none"]
OF_THE_MOMENT = ["/healthz", "/readyz", "/metrics", *MISSING]


def path_of(operation: Operation) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: SAMPLES.get(name[1], "1"), operation.template)


def cacheable(status: int) -> Response:
    """A service that would let everybody keep its answer."""
    headers = {"X-Subject": SUBJECT, "Cache-Control": "public, max-age=3600", "Server": "inner"}
    return JSONResponse({}, status, headers=headers)


@pytest.fixture
async def everything(gate: Gate) -> AsyncIterator[str]:
    """A client with a right to all operations."""
    kept = gate.services.answer
    yield await gate.newcomer(make_grant(operations=list(OPERATIONS), agencies=None))
    gate.services.answer = kept


@pytest.mark.parametrize("operation", RESTRICTED, ids=lambda operation: operation.name)
async def test_no_cache_keeps_an_answer_that_needs_a_token(
    gate: Gate, everything: str, operation: Operation
) -> None:
    method, path = operation.method, path_of(operation)
    for status in (200, 404, 500):
        gate.services.answer = partial(cacheable, status)
        answer = await gate.ask(f"{method} {path}", client=everything)
        assert answer.headers.get_list("Cache-Control") == ["no-store"]
    refused = await gate.ask(f"{method} {path}", headers={"Authorization": "Bearer none"})
    assert refused.headers.get_list("Cache-Control") == ["no-store"]


@pytest.mark.parametrize("path", [*DOCUMENTS, *map(path_of, PUBLIC)])
async def test_public_document_has_a_tag_and_may_be_kept(gate: Gate, path: str) -> None:
    answer = await gate.http.get(path)
    assert "no-store" not in answer.headers["Cache-Control"]
    assert answer.is_redirect or path in map(path_of, PUBLIC) or answer.headers["ETag"]


@pytest.mark.parametrize("path", OF_THE_MOMENT)
async def test_state_of_the_moment_and_problems_are_not_kept(gate: Gate, path: str) -> None:
    assert (await gate.http.get(path)).headers.get_list("Cache-Control") == ["no-store"]


async def test_problem_at_a_public_path_is_not_kept(gate: Gate) -> None:
    kept, path = gate.services.answer, path_of(PUBLIC[-1])
    try:
        gate.services.answer = partial(cacheable, 503)
        assert (await gate.http.get(path)).headers["Cache-Control"] == "no-store"
    finally:
        gate.services.answer = kept
    assert (await gate.http.put(path)).headers["Cache-Control"] == "no-store"


def assert_in_every_answer(answer: httpx.Response) -> None:
    assert answer.headers.get_list("Server") == ["lien-thong"]
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize("path", [*DOCUMENTS, *OF_THE_MOMENT, *map(path_of, OPERATIONS.values())])
async def test_no_answer_names_its_software_or_is_guessed_at(gate: Gate, path: str) -> None:
    for method in ("GET", "POST", "PUT"):
        assert_in_every_answer(await gate.http.request(method, path))


@pytest.mark.parametrize("path", [*DOCUMENTS, *OF_THE_MOMENT, *map(path_of, OPERATIONS.values())])
async def test_every_answer_names_the_callers_request_and_its_trace(gate: Gate, path: str) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    own = {"X-Request-Id": "request-17", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    for method in ("GET", "PUT"):
        answer = await gate.http.request(method, path, headers=own)
        assert answer.headers.get_list("X-Request-Id") == ["request-17"]
        # The stand-in for the services behind sets none.
        assert set(answer.headers.get_list("X-Trace-Id")) <= {trace}
        if answer.status_code >= 400:
            assert answer.headers["X-Trace-Id"] == answer.json()["trace_id"] == trace
