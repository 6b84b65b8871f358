"""Forward one call: match, admit, send, record, answer."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import NamedTuple

from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Tracer
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http1.connection import BrokenOffError, Connection, Payload
from gateway.http1.deadline import Deadline, require_current_task
from gateway.http1.pool import ConnectionPool
from gateway.ledger.record_draft import DRAFT, Admit, Ledger
from gateway.operations.matching import Match, MethodNotAllowed, NotFound, match_operation
from gateway.operations.model import KIB, MIB, Operation, Service
from gateway.operations.problems import RequestMalformed
from gateway.proxy.bodies import (
    CallerDeadline,
    RequestBody,
    ServiceDeadline,
    read_answer_opening,
)
from gateway.proxy.call import Call
from gateway.proxy.detached_calls import DetachedCalls, watch_caller_leaving
from gateway.proxy.headers import RawHeaders, build_request_headers, read_request_trace
from gateway.proxy.problems import (
    BodyTooSlow,
    UpstreamAway,
    UpstreamBroke,
    UpstreamRefusesCalls,
    UpstreamTimedOut,
)
from gateway.proxy.upstream import Slot, Upstream
from shared.observability.tracing import build_trace_headers
from shared.texts.translatable import Translatable
from shared.web.calls.call_mac import BODY_LENGTH
from shared.web.middleware import drop_body

# An answer with personal data up to this size is held back until its record is complete.
_HELD_BACK = MIB
# Other answers of a known size up to this are read first, so that a break is a clean 502.
_IN_ONE_PIECE = 64 * KIB
_QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*")


class Forwarder:
    """Forward the operations of the table; `local_routes` handles the rest."""

    def __init__(
        self,
        upstreams: Mapping[Service, Upstream],
        pool: ConnectionPool,
        *,
        admit: Admit,
        ledger: Ledger,
        local_routes: ASGIApp,
        tracer: Tracer | None = None,
    ) -> None:
        self._upstreams, self._pool, self._tracer = upstreams, pool, tracer
        self._admit, self._ledger, self._local_routes = admit, ledger, local_routes
        self._detached_calls = DetachedCalls()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._local_routes(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            send = drop_body(send)
        match match_operation(scope["method"], scope["raw_path"].decode("latin-1")):
            case Match(Operation(service=Service.GATEWAY)):
                await self._local_routes(scope, receive, send)
            case Match() as match:
                await self.forward_matched_call(match, scope, receive, send)
            case MethodNotAllowed() | NotFound():
                await self._local_routes(scope, receive, send)

    async def forward_matched_call(
        self, match: Match, scope: Scope, receive: Receive, send: Send
    ) -> None:
        task = require_current_task(self._pool.loop)
        call = Call(match, read_request_trace(scope), ledger=self._ledger, send=send, task=task)
        scope[DRAFT] = call.draft
        with trace_forwarded_call(call, self._tracer) if self._tracer else nullcontext():
            await call.carry_out_work(self._admit_and_send(call, scope, receive), scope, receive)

    async def drain(self) -> None:
        """Wait some seconds for the late answers to given-up calls."""
        await self._detached_calls.drain()

    async def _admit_and_send(self, call: Call, scope: Scope, receive: Receive) -> None:
        added = await self._admit(call.draft, scope, call.parameters)
        # Other faults of the request are reported to admitted callers only.
        body = RequestBody(call.operation, scope, receive, self._pool.loop)
        request = UpstreamRequest(
            _read_request_target(scope), build_request_headers(scope, call.trace, added), body
        )
        try:
            with nullcontext() if body.none else body.count_memory(call.draft.holder):
                # A slot is taken once a short body is complete, or the opening of a long one.
                payload = None if body.none else await _read_request_payload(call, body)
                if body.announced and not isinstance(payload, bytes):
                    request = request.with_announced_length()
                if call.draft.read_body:
                    call.draft.read_body(payload if isinstance(payload, bytes) else b"")
                await self._hold_slot_and_send(call, request, payload)
        finally:
            call.draft.request_sha256 = body.recorded_sha256

    async def _hold_slot_and_send(
        self, call: Call, request: "UpstreamRequest", payload: Payload
    ) -> None:
        upstream, body = self._upstreams[call.operation.service], request.body
        slot = upstream.reserve_call_slot(call.draft.holder, whole=body.finished)
        watch_caller_leaving(call, body)
        try:
            # A given-up call continues without its caller.
            with (
                slot,
                CallerDeadline(body, partial(self._detached_calls.detach_call, call), call.task),
            ):
                call.announce_service_call(body.recorded_sha256)
                await self._send_and_answer(call, slot, request, payload)
        finally:
            body.close()
            if call.given_up:
                self._detached_calls.release_call(call)

    async def _send_and_answer(
        self, call: Call, slot: Slot, request: "UpstreamRequest", payload: Payload
    ) -> None:
        answer, opening = await self._read_upstream_answer(call, slot, request, payload)
        try:
            call.draft.request_sha256 = request.body.recorded_sha256
            rest = None if answer.is_at_end else answer
            headers = slot.upstream.read_answer_headers(answer)
            await call.record_and_answer(answer.status, headers, opening, rest)
        finally:
            slot.upstream.release_connection(self._pool, answer)

    async def _send_to_upstream(
        self, call: Call, slot: Slot, request: "UpstreamRequest", payload: Payload
    ) -> Connection:
        try:
            return await slot.upstream.send_call(
                self._pool,
                call.operation,
                request.target,
                request.headers,
                payload,
                slot=slot,
                call_id=call.draft.id,
                body_sha256=request.body.sha256,
            )
        except UpstreamRefusesCalls:
            call.withdraw_announcement()
            raise
        except UpstreamAway:
            # A repeatable change may have been sent before, on a connection that had closed.
            if not (call.operation.takes_effect and call.operation.idempotent):
                call.withdraw_announcement()
            raise

    async def _read_upstream_answer(
        self, call: Call, slot: Slot, request: "UpstreamRequest", payload: Payload
    ) -> tuple[Connection, bytes]:
        """Return the answer with its first bytes; count its result for the breaker."""
        operation, body = call.operation, request.body
        late = partial(slot.count_timeout, operation)
        outlives = partial(self._detached_calls.detach_call, call, late)
        try:
            with ServiceDeadline(operation.timeout_s, body, outlives, call.task) as work:
                answer = await self._send_to_upstream(call, slot, request, payload)
                opening = await _read_opening_bytes(
                    slot, answer, _choose_opening_limit(operation, answer)
                )
        except (TimeoutError, BrokenOffError) as error:
            if call.given_up:
                raise UpstreamBroke(operation.service) from error
            if body.failure:
                call.withdraw_announcement()
                raise body.failure from error
            if not isinstance(error, TimeoutError):
                raise UpstreamBroke(operation.service) from error
            if not body.finished and body.awaited:
                call.withdraw_announcement()
                raise BodyTooSlow(operation.timeout_s) from error
            if not body.finished:  # the service stopped reading
                raise UpstreamTimedOut(operation.service, seconds=operation.timeout_s) from error
            raise slot.count_timeout(operation) from error
        slot.count_answer(is_late=work.is_late)
        return answer, opening


def _choose_opening_limit(operation: Operation, answer: Connection) -> int:
    """Return how many bytes to read before the answer starts; 0 for a stream."""
    if operation.recorded:
        return _HELD_BACK + 1
    length = answer.content_length
    return 0 if length is None or length > _IN_ONE_PIECE else _IN_ONE_PIECE


async def _read_opening_bytes(slot: Slot, answer: Connection, limit: int) -> bytes:
    try:
        return await read_answer_opening(answer, limit)
    except BrokenOffError:
        slot.close_broken_connection(answer)
        raise
    except BaseException:
        answer.close()
        raise


@contextmanager
def trace_forwarded_call(call: Call, tracer: Tracer) -> Iterator[None]:
    """Open a span under the caller's span; the span of the upstream service is below it."""
    context = propagate.extract({"traceparent": call.trace.traceparent})
    with tracer.start_as_current_span(
        call.operation.name, context, SpanKind.SERVER, record_exception=False
    ) as span:
        call.trace = call.trace._replace(traceparent=build_trace_headers()["traceparent"])
        yield
        span.set_attribute("http.response.status_code", call.draft.status)


class UpstreamRequest(NamedTuple):
    """The request to the upstream service; `target` is path and query as the caller sent them."""

    target: str
    headers: RawHeaders
    body: RequestBody

    def with_announced_length(self) -> "UpstreamRequest":
        """Add the announced length of a chunked body, so that the service can reserve memory."""
        length = BODY_LENGTH, b"%d" % self.body.announced
        return self._replace(headers=[*self.headers, length])


async def _read_request_payload(call: Call, body: RequestBody) -> Payload:
    seconds = call.operation.timeout_s
    try:
        with Deadline(seconds, call.task):
            return await body.read_payload()
    except TimeoutError:
        raise BodyTooSlow(seconds) from None


def _read_request_target(scope: Scope) -> str:
    """Return path and query as sent, so that the upstream service reads the same bytes."""
    path: str = scope["raw_path"].decode("ascii")
    query: bytes = scope["query_string"]
    if not _QUERY.fullmatch(query):
        raise RequestMalformed(Translatable("Percent-encode the query."))
    return f"{path}?{query.decode('ascii')}" if query else path
