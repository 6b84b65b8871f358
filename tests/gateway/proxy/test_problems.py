"""Each problem of the gateway says in plain words how to mend the call."""

import re
from collections.abc import Iterator

import pytest
from starlette.responses import JSONResponse

from gateway.access.problems import QuotaSpent
from gateway.proxy.problems import (
    BodyTooSlow,
    SlotsTaken,
    SubjectNotNamed,
    UpstreamAway,
    UpstreamBusy,
    UpstreamRefusesCalls,
    UpstreamTimedOut,
)
from shared.web.problems import Problem
from tests.gateway.access.test_authorization import problem
from tests.support.gateway_harness import VERIFY, Gate, make_client, make_grant

WAITING = (SlotsTaken, UpstreamAway, UpstreamBusy, UpstreamRefusesCalls)


def timed_problems(count: int) -> Iterator[Problem]:
    """Yield each problem that tells a time, with `count` of its unit."""
    yield QuotaSpent("read", amount=count, window_s=count, reset_s=count)
    yield BodyTooSlow(count)
    yield UpstreamTimedOut("dossier", seconds=count)
    for kind in WAITING:
        yield kind("dossier", retry_after_s=count)


@pytest.mark.parametrize(("count", "unit"), [(1, "second"), (2, "seconds"), (86_400, "seconds")])
def test_count_and_its_unit_agree(count: int, unit: str) -> None:
    for each in timed_problems(count):
        assert each.detail
        found = re.findall(rf"\b{count} (\w+)", each.detail.replace(f" {count} in ", " "))
        assert found
        assert set(found) == {unit}, each.detail


def test_report_of_a_fault_names_its_trace_and_its_reader() -> None:
    detail = SubjectNotNamed("dossier").detail
    assert detail
    assert "trace_id" in detail
    assert "operator" in detail


@pytest.mark.parametrize("purpose", ["079203001234", "1.001193 079-203-001-234"])
async def test_number_as_purpose_is_told_of_purposes(gate: Gate, purpose: str) -> None:
    answer = await gate.ask(VERIFY, headers={"X-Purpose": purpose})
    detail = problem(answer, 400, "request-malformed")["detail"]
    assert "procedure" in detail
    assert "legal basis" in detail
    assert "code of yours" not in detail


async def test_client_without_access_is_told_of_operators(gate: Gate) -> None:
    inactive = await gate.newcomer(make_grant())
    await gate.tell(make_client(inactive, version=2, active=False))
    for client in ("nobody", inactive):
        told = problem(await gate.ask(VERIFY, client=client), 403, "not-allowed")
        assert "operator" in told["detail"]


@pytest.mark.parametrize("claims", [{"exp": 1}, {"aud": "others"}, {"iss": "x"}, {"agency": None}])
async def test_token_that_does_not_hold_is_told_of_the_next(
    gate: Gate, claims: dict[str, object]
) -> None:
    headers: dict[str, str | None] = {
        "Authorization": f"Bearer {gate.authority.token(**claims)}"  # type: ignore[arg-type]
    }
    told = problem(await gate.ask(VERIFY, headers=headers), 401, "unauthenticated")
    assert "/oauth/token" in told["detail"]


async def test_request_and_trace_have_ids_of_their_own(gate: Gate) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    seen = set()
    # Problems of the gateway: it adds the trace to the answers that are its own.
    for operation in (VERIFY, "GET /nowhere", "GET /ledger/v1/seals"):
        for headers in ({}, parent, {"X-Request-Id": "bad id"}):
            answer = await gate.ask(operation, headers={**headers, "X-Officer": None})
            request_id, trace_id = answer.headers["X-Request-Id"], answer.headers["X-Trace-Id"]
            assert request_id.replace("-", "") != trace_id
            assert trace_id == trace or headers is not parent
            seen.add(request_id)
    assert len(seen) == 9


VIETNAMESE = {"Accept-Language": "vi-VN,vi;q=0.9,en;q=0.8"}


@pytest.mark.parametrize(
    ("operation", "headers", "title"),
    [
        (VERIFY, {"Authorization": None}, "Phải có mã truy cập hợp lệ"),
        (VERIFY, {"X-Officer": None}, "Thiếu mục đích hoặc cán bộ thực hiện"),
        ("GET /nowhere", {}, "Không tìm thấy"),
        ("PATCH /dossier/v1/dossiers", {}, "Đường dẫn này không hỗ trợ phương thức đã dùng"),
        ("GET /ledger/v1/seals", {}, "Không có quyền đang có hiệu lực nào cho phép việc này"),
        ("GET /problems/none", {}, "Không có loại lỗi này"),
    ],
)
async def test_problem_of_the_gateway_is_in_the_language_of_the_caller(
    gate: Gate, operation: str, headers: dict[str, str | None], title: str
) -> None:
    answer = await gate.ask(operation, headers={**VIETNAMESE, **headers})
    assert answer.json()["title"] == title
    assert answer.headers["Content-Language"] == "vi"
    assert answer.headers["Vary"] == "Accept-Language"


async def test_values_stand_in_a_translated_problem(gate: Gate) -> None:
    answer = await gate.ask(VERIFY, headers={**VIETNAMESE, "X-Officer": None, "X-Purpose": None})
    told = problem(answer, 400, "purpose-missing")
    assert "hãy gửi X-Purpose và X-Officer." in told["detail"]
    assert told["headers"] == ["X-Purpose", "X-Officer"]


async def test_language_reaches_the_service_and_its_answer_the_caller(gate: Gate) -> None:
    told = gate.services.answer
    translated = {"Content-Language": "vi", "Vary": "Accept-Language"}
    gate.services.answer = lambda: JSONResponse({}, 404, translated)
    try:
        answer = await gate.ask(VERIFY, headers=dict(VIETNAMESE))
    finally:
        gate.services.answer = told
    assert gate.services.asked[-1].headers["Accept-Language"] == VIETNAMESE["Accept-Language"]
    assert answer.headers["Content-Language"] == "vi"
    assert answer.headers["Vary"] == "Accept-Language"
