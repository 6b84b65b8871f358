"""The answer to what is no operation at all."""

from starlette.types import Receive, Scope, Send

from gateway.proxy.headers import trace_of
from shared.observability.telemetry import REQUEST_SECONDS
from shared.web.middleware import METHODS, OTHER_METHOD, UNMATCHED
from shared.web.problems import Problem, respond


async def turn_away(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what is no operation at all: with its ids and its metric, without a record."""
    trace = trace_of(scope)
    response = respond(problem)
    response.raw_headers.extend(trace.headers())
    method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
    REQUEST_SECONDS.labels(method, UNMATCHED, problem.status.value).observe(0.0)
    await response(scope, receive, send)
