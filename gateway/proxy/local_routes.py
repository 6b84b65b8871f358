"""Dispatch the operations of the gateway itself, admitted and recorded as all others."""

import re
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access.callers.client_address import TrustedProxies
from gateway.access.problems import QuotaSpent
from gateway.access.rate_limits import Quotas
from gateway.http1.deadline import Deadline, require_current_task
from gateway.ledger.record_draft import DRAFT, AccessRecordDraft, Admit, Ledger
from gateway.operations.matching import Match, MethodNotAllowed, match_operation
from gateway.operations.model import QuotaClass
from gateway.proxy.bodies import RequestBody
from gateway.proxy.call import Call
from gateway.proxy.detached_calls import watch_caller_leaving
from gateway.proxy.headers import (
    REQUEST_ID,
    Trace,
    build_request_headers,
    find_host_problem,
    read_request_trace,
)
from gateway.proxy.problems import BodyTooSlow, MethodRefused, NotPublic
from shared.observability.metrics import REQUEST_SECONDS
from shared.web.calls.call_guard import PROVED_CALL
from shared.web.calls.call_mac import NO_BODY, ProvedCall
from shared.web.middleware import label_request
from shared.web.problems import Problem, respond

METRICS = "/metrics"
# The local routes answer only these paths besides the operations. Without the list, a path that
# matches no operation could still match the template of a route.
PUBLIC_PATHS = frozenset(
    {
        "/",
        "/.well-known/event-keys.json",
        "/.well-known/ledger-keys.json",
        "/.well-known/legal-bases.json",
        "/.well-known/right-keys.json",
        "/docs",
        "/gateway/v1/openapi.json",
        "/healthz",
        "/openapi.json",
        "/problems",
        "/readyz",
        "/sandbox",
        METRICS,
    }
)
PUBLIC_FILE = re.compile(r"/docs/files/[A-Za-z0-9._-]+|/problems/[a-z0-9-]+")
_TRACEPARENT = b"traceparent"


class LocalDispatcher:
    """Stand in front of the local routes as the forwarder does in front of a service."""

    def __init__(
        self,
        routes: ASGIApp,
        *,
        admit: Admit,
        ledger: Ledger,
        trusted_proxies: TrustedProxies,
        quotas: Quotas,
    ) -> None:
        self._routes, self._admit, self._ledger = routes, admit, ledger
        self._trusted_proxies, self._quotas = trusted_proxies, quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match match_operation(scope["method"], scope["raw_path"].decode("latin-1")):
            case Match() as match:
                task = require_current_task()
                call = Call(
                    match, read_request_trace(scope), ledger=self._ledger, send=send, task=task
                )
                scope[DRAFT] = call.draft
                await call.carry_out_work(
                    self._dispatch_and_answer(call, scope, receive), scope, receive
                )
            case _ if problem := self._find_quota_problem(scope) or find_host_problem(scope):
                await answer_unmatched_request(problem, scope, receive, send)
            case MethodNotAllowed(allowed):
                await answer_unmatched_request(MethodRefused(allowed), scope, receive, send)
            case _ if self._is_hidden_path(scope):
                await answer_unmatched_request(NotPublic(), scope, receive, send)
            case _:
                trace = read_request_trace(scope)
                await self._routes(
                    set_scope_trace(scope, trace), receive, add_request_id(send, trace)
                )

    def _find_quota_problem(self, scope: Scope) -> Problem | None:
        """Count a public request by address; return QuotaSpent if the quota is exhausted."""
        try:
            self._quotas.count_call(
                self._trusted_proxies.read_client_address(scope), QuotaClass.OPEN
            )
        except QuotaSpent as spent:
            return spent
        return None

    def _is_hidden_path(self, scope: Scope) -> bool:
        """Return whether the path is not public.

        Only one spelling of a path is served, because a proxy may block a path without decoding it.
        """
        path: str = scope["path"]
        if scope["raw_path"] != path.encode():
            return True
        if path not in PUBLIC_PATHS and not PUBLIC_FILE.fullmatch(path):
            return True
        return path == METRICS and not self._trusted_proxies.is_internal_call(scope)

    async def _dispatch_and_answer(self, call: Call, scope: Scope, receive: Receive) -> None:
        """Announce a change, then withhold its whole answer until it is recorded."""
        added = await self._admit(call.draft, scope, call.parameters)
        body = RequestBody(call.operation, scope, receive, call.task.get_loop())
        headers = build_request_headers(scope, call.trace, added)
        try:
            with (
                body.count_memory(call.draft.holder),
                Deadline(call.operation.timeout_s, call.task),
            ):
                payload = await body.read_whole()
        except TimeoutError:
            raise BodyTooSlow(call.operation.timeout_s) from None
        watch_caller_leaving(call, body)
        held = BufferedResponse(payload)
        # The middleware of the local routes counts the call.
        call.measured = True
        call.announce_service_call(body.recorded_sha256)
        inner = {**scope, "headers": headers, PROVED_CALL: _prove_local_call(call.draft)}
        try:
            await self._routes(inner, held.receive, held.send)
            await call.record_and_answer(held.status, held.headers, held.body, None)
        finally:
            body.close()


def _prove_local_call(draft: AccessRecordDraft) -> ProvedCall:
    """Return the mark of a proved call, which no request from outside can carry."""
    return ProvedCall(draft.client, draft.agency, NO_BODY, b"")


async def answer_unmatched_request(
    problem: Problem, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request that matches no operation: with ids and a metric, without a record."""
    trace = read_request_trace(scope)
    response = respond(problem, scope)
    response.raw_headers.extend(trace.list_id_headers())
    REQUEST_SECONDS.labels(*label_request(scope), problem.status.value).observe(0.0)
    await response(scope, receive, send)


def set_scope_trace(scope: Scope, trace: Trace) -> Scope:
    """Return `scope` with the trace that the routes continue."""
    headers = [header for header in scope["headers"] if header[0] != _TRACEPARENT]
    return {**scope, "headers": [*headers, (_TRACEPARENT, trace.traceparent.encode())]}


def add_request_id(send: Send, trace: Trace) -> Send:
    """Return a `send` that names the request in its answer."""

    async def send_named(message: Message) -> None:
        if message["type"] == "http.response.start":
            id_header = (REQUEST_ID, trace.request_id.encode())
            message = {**message, "headers": [*message["headers"], id_header]}
        await send(message)

    return send_named


@dataclass
class BufferedResponse:
    """Buffer the answer of a local route until its record is durable."""

    request: bytes
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def receive(self) -> Message:
        return {"type": "http.request", "body": self.request, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")
