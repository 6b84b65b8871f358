"""One line for each answer that refuses or fails, without a value of the request."""

import time

import pytest
import structlog
from structlog.testing import capture_logs

from shared.observability import request_log
from shared.observability.request_log import MAX_LINES_A_SECOND, LineLimiter, LoggedAnswer

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


def test_flood_of_refusals_is_counted_and_not_written() -> None:
    limiter = LineLimiter()
    admitted = [limiter.admit_line(17.0 + number / 1_000) for number in range(500)]
    assert sum(admitted) == MAX_LINES_A_SECOND
    with capture_logs() as lines:
        assert limiter.admit_line(18.0)
    left_out = 500 - MAX_LINES_A_SECOND
    assert [(line["event"], line["count"]) for line in lines] == [("answers_not_logged", left_out)]
