"""The way of one call: find, admit, ask, record, answer."""

import asyncio
import re
from collections.abc import Mapping

from aiohttp import ClientError, ClientResponse, ClientSession
from multidict import CIMultiDict
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.forwarding.bodies import CallerGone, RequestBody, WhileCallerWaits, read_opening
from gateway.forwarding.call import Call
from gateway.forwarding.exchange import Admit, Ledger
from gateway.forwarding.headers import inward, trace_of
from gateway.forwarding.upstream import Upstream
from gateway.problems import BodyTooSlow, MethodRefused, RequestMalformed, UpstreamBroke
from gateway.upstreams import Match, MethodNotAllowed, NotFound, Operation, Service, find
from shared.problems import problem_for, respond

_QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*")


class Forwarder:
    """An ASGI application: passes on what the table names, leaves the rest to `own`."""

    def __init__(
        self,
        upstreams: Mapping[Service, Upstream],
        session: ClientSession,
        *,
        admit: Admit,
        ledger: Ledger,
        own: ASGIApp,
    ) -> None:
        self._upstreams, self._session = upstreams, session
        self._admit, self._ledger, self._own = admit, ledger, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._own(scope, receive, send)
            return
        match find(scope["method"], scope["raw_path"].decode("latin-1")):
            case Match(Operation(service=Service.GATEWAY)):
                await self._own(scope, receive, send)
            case Match() as match:
                await self.forward(match, scope, receive, send)
            case MethodNotAllowed(allowed):
                await respond(MethodRefused(allowed))(scope, receive, send)
            case NotFound():
                await self._own(scope, receive, send)

    async def forward(self, match: Match, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(match, trace_of(scope), ledger=self._ledger, send=send)
        try:
            await self._pass_on(call, scope, receive)
        except CallerGone:
            await call.abandon()
        except Exception as error:
            # The one broad catch of a forwarded call, in place of `shared.edge`.
            if call.begun:
                raise
            response = respond(await call.refuse(problem_for(error)))
            response.headers["x-request-id"] = call.trace.request_id
            await response(scope, receive, send)

    async def _pass_on(self, call: Call, scope: Scope, receive: Receive) -> None:
        body = RequestBody(call.operation, scope, receive)
        target = _target(scope)
        added = await self._admit(call.exchange, scope, call.parameters)
        headers = inward(scope, call.trace, added)
        upstream = self._upstreams[call.operation.service]
        with upstream.slot():
            async with WhileCallerWaits(body):
                response, opening = await self._ask(call, upstream, target, headers, body)
                try:
                    call.exchange.request_sha256 = body.sha256
                    whole = response.content.at_eof()
                    await call.answer(response, opening, whole=whole)
                finally:
                    # Keeps the connection of a whole answer, closes that of a broken one.
                    response.release()

    async def _ask(
        self,
        call: Call,
        upstream: Upstream,
        target: str,
        headers: CIMultiDict[str],
        body: RequestBody,
    ) -> tuple[ClientResponse, bytes]:
        """The answer's head and first bytes, within the operation's time."""
        operation = call.operation
        try:
            async with asyncio.timeout(operation.timeout_s):
                payload = await body.payload()
                response = await upstream.ask(self._session, operation, target, headers, payload)
                return response, await read_opening(response, call.opening_limit(response))
        except (TimeoutError, ClientError, UpstreamBroke) as error:
            if body.failure:
                raise body.failure from error
            if not isinstance(error, TimeoutError):
                raise UpstreamBroke(operation.service) from error
            if not body.finished:
                raise BodyTooSlow(operation.timeout_s) from error
            raise upstream.timed_out(operation) from error


def _target(scope: Scope) -> str:
    """Path and query as sent: the service behind reads the same bytes as this gateway."""
    path: str = scope["raw_path"].decode("ascii")
    query: bytes = scope["query_string"]
    if not _QUERY.fullmatch(query):
        raise RequestMalformed("Percent-encode the query.")
    return f"{path}?{query.decode('ascii')}" if query else path
