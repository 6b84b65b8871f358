"""The gateway logs each answer that refuses or fails, once, with the ids that the caller got."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import structlog
from starlette.responses import JSONResponse
from structlog.testing import capture_logs

from shared.observability import request_log
from shared.observability.request_log import LineLimiter
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import READ, VERIFY, Gate

CODE = "H26-2026-000001"
ANSWERS = {"request_refused", "request_failed"}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    # A logger keeps the processors of its first line, which may be those of an earlier test.
    monkeypatch.setattr(request_log, "log", structlog.get_logger())
    monkeypatch.setattr(request_log, "_limiter", LineLimiter())
    with capture_logs() as captured:
        yield captured


def facts_of(lines: list[Any]) -> list[tuple[Any, ...]]:
    names = ("method", "route", "status", "client", "problem", "request_id")
    return [tuple(line[name] for name in names) for line in lines if line["event"] in ANSWERS]


async def test_refusal_of_the_gateway_is_logged_with_its_problem(
    gate: Gate, lines: list[Any]
) -> None:
    answer = await gate.ask(READ.format(code=CODE), client="nobody")
    assert answer.status_code == 403
    told = "GET", "/dossier/v1/dossiers/{code}", 403, "nobody", answer.json()["type"]
    assert facts_of(lines) == [(*told, answer.headers["X-Request-Id"])]
    assert CODE not in str(lines)


async def test_refusal_without_a_proven_client_names_none(gate: Gate, lines: list[Any]) -> None:
    answer = await gate.ask(VERIFY, headers={"Authorization": "Bearer none"})
    [(*_, client, problem, request_id)] = facts_of(lines)
    assert (client, problem) == (None, answer.json()["type"])
    assert request_id == answer.headers["X-Request-Id"]


async def test_refusal_of_a_service_is_logged_with_its_problem(
    gate: Gate, lines: list[Any]
) -> None:
    kept = gate.services.answer
    problem = {"type": "/problems/transition-refused"}
    gate.services.answer = partial(JSONResponse, problem, 409, headers={"X-Subject": SUBJECT})
    try:
        await gate.ask(READ.format(code=CODE), headers={"X-Request-Id": "request-17"})
    finally:
        gate.services.answer = kept
    told = "GET", "/dossier/v1/dossiers/{code}", 409, "onestop-h26", problem["type"], "request-17"
    assert facts_of(lines) == [told]


@pytest.mark.parametrize("path", ["/nothing/001090000001", "/problems/none"])
async def test_unknown_path_is_logged_without_it(gate: Gate, lines: list[Any], path: str) -> None:
    answer = await gate.http.get(path)
    assert answer.status_code == 404
    [(method, route, status, *_, request_id)] = facts_of(lines)
    assert (method, route, status) == ("GET", "(no route)", 404)
    assert request_id == answer.headers["X-Request-Id"]
    assert path not in str(lines)


async def test_own_operation_of_the_gateway_is_logged_once(gate: Gate, lines: list[Any]) -> None:
    answer = await gate.ask("GET /ledger/v1/records?limit=none")
    assert answer.status_code >= 400
    assert [fact[1] for fact in facts_of(lines)] == ["/ledger/v1/records"]


async def test_answer_that_grants_is_not_logged(gate: Gate, lines: list[Any]) -> None:
    assert (await gate.ask(READ.format(code=CODE))).is_success
    assert (await gate.http.get("/readyz")).status_code in (200, 503)
    assert facts_of(lines) == []
