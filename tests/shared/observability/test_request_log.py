"""One line for each answer that refuses or fails, without a value of the request."""

import time

import pytest
import structlog
from structlog.testing import capture_logs

from shared.observability import request_log
from shared.observability.request_log import (
    MAX_COUNTED_CLIENTS,
    MAX_LINES_A_SECOND,
    MAX_LINES_OF_CLIENT,
    LineLimiter,
    LoggedAnswer,
)

NUMBER = "079204001234"
PROBLEM = b'{"type": "/problems/not-allowed", "detail": "about 079204001234"}'


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger keeps the processors of its first line, which may be those of an earlier test."""
    monkeypatch.setattr(request_log, "log", structlog.get_logger())
    monkeypatch.setattr(request_log, "_limiter", LineLimiter())


def answer(status: int) -> LoggedAnswer:
    began_at = time.perf_counter() - 0.25
    return LoggedAnswer("GET", "/people/{code}", status, began_at, "onestop-h26", "request-17")


def test_line_names_the_kind_of_request_its_client_and_the_problem() -> None:
    with capture_logs() as lines:
        answer(403).write(PROBLEM)
    (line,) = lines
    assert line.pop("ms") >= 250
    assert line == {
        "event": "request_refused",
        "log_level": "info",
        "method": "GET",
        "route": "/people/{code}",
        "status": 403,
        "client": "onestop-h26",
        "problem": "/problems/not-allowed",
        "request_id": "request-17",
    }


def test_failure_is_a_warning() -> None:
    with capture_logs() as lines:
        answer(503).write(b"")
    assert [(line["event"], line["log_level"]) for line in lines] == [("request_failed", "warning")]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"error": "invalid_client"}', "invalid_client"),
        (b'{"type": "about:blank"}', "about:blank"),
        (b'{"type": "/problems/079204001234 is"}', None),
        (b'{"type": ["/problems/not-allowed"]}', None),
        (b'{"error": "079204001234"}', None),
        (b'["/problems/not-allowed"]', None),
        (b'{"type": "/problems/not', None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_problem_is_a_known_form_or_nothing(body: bytes, found: str | None) -> None:
    with capture_logs() as lines:
        answer(400).write(body)
    assert lines[0]["problem"] == found


def count_admitted(limiter: LineLimiter, count: int, status: int, client: str | None) -> int:
    return sum(limiter.admit_line(17.5, status, client) for _ in range(count))


def test_flood_of_refusals_is_counted_and_not_written() -> None:
    limiter = LineLimiter()
    assert count_admitted(limiter, 500, 404, None) == MAX_LINES_A_SECOND
    with capture_logs() as lines:
        assert limiter.admit_line(18.0, 404, None)
        assert limiter.admit_line(19.0, 404, None)
    left_out = 500 - MAX_LINES_A_SECOND
    assert [(line["event"], line["count"]) for line in lines] == [("answers_not_logged", left_out)]


def test_flood_silences_neither_failures_nor_other_callers() -> None:
    limiter = LineLimiter()
    count_admitted(limiter, 500, 404, None)
    assert count_admitted(limiter, 500, 403, "onestop-h26") == MAX_LINES_OF_CLIENT
    assert count_admitted(limiter, 1, 403, "onestop-h29") == 1
    assert count_admitted(limiter, 500, 503, None) == MAX_LINES_A_SECOND


def test_lines_of_many_clients_are_bounded_together() -> None:
    limiter = LineLimiter()
    admitted = sum(limiter.admit_line(17.5, 403, f"client-{number}") for number in range(5_000))
    assert admitted == MAX_COUNTED_CLIENTS + MAX_LINES_A_SECOND
