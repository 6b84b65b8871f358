"""The outermost layer of every service: tracing, the request metric and unexpected errors."""

import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observability.metrics import REQUEST_SECONDS
from shared.observability.request_log import READINESS, LoggedAnswer, find_first_logged_status
from shared.observability.tracing import read_trace_id, start_trace
from shared.web.calls.call_guard import PROVED_CALL
from shared.web.calls.internal_headers import TRACE_ID_HEADER
from shared.web.problems import find_problem, respond

UNMATCHED_ROUTE = "(no route)"
# RFC 9110 §9, RFC 5789. Callers can send any word, and a metric keeps each label without end.
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
)
OTHER_METHOD = "other"


class AnswerCutOffError(Exception):
    """The response had begun, so the server closes the connection; the cause is already logged."""


class RequestMiddleware:
    """Trace each request, measure it, log it unless an outer layer does, and answer errors."""

    def __init__(self, app: ASGIApp, *, logs_answers: bool = False) -> None:
        self._app = app
        self._logs_answers, self._first = logs_answers, find_first_logged_status()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # RFC 9110 §9.3.2; FastAPI's routes do not answer HEAD.
            scope, send = {**scope, "method": "GET"}, drop_body(send)
        start_trace(Headers(scope=scope).get("traceparent"))
        started, status = time.perf_counter(), 0
        logged: LoggedAnswer | None = None

        async def send_marked(message: Message) -> None:
            nonlocal status, logged
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[TRACE_ID_HEADER] = read_trace_id() or ""
                if self._logs_answers and status >= self._first and scope["path"] != READINESS:
                    client = getattr(scope.get(PROVED_CALL), "client", None)
                    logged = LoggedAnswer(*label_request(scope), status, started, client)
            elif logged:
                logged.write(message.get("body", b""))
                logged = None
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception as error:  # noqa: BLE001 -- raised on below as another class
            # The only broad catch of a request: the caller gets a problem, the log the reason.
            problem = find_problem(error)
            if status:
                raise AnswerCutOffError(type(error).__name__) from None
            await respond(problem, scope)(scope, receive, send_marked)
        finally:
            labels = *label_request(scope), status
            REQUEST_SECONDS.labels(*labels).observe(time.perf_counter() - started)


def drop_body(send: Send) -> Send:
    """Return a `send` that passes on the head of a response without its body."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def label_request(scope: Scope) -> tuple[str, str]:
    """Return the method, and the template of the route, because a label must not name a dossier."""
    method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
    return method, getattr(scope.get("route"), "path", UNMATCHED_ROUTE)
