"""The gateway's own operations pass the same door as all others: admitted, recorded, answered."""

from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.forwarding import Admit, Exchange, Ledger, Outcome
from gateway.forwarding.headers import find_header, inward, outward, trace_of
from gateway.upstreams import Match, find
from shared.problems import Problem, problem_for, respond

METRICS = "/metrics"
# A proxy in front adds one of these: the caller is then not the neighbour it seems to be.
FORWARDED = (b"forwarded", b"x-forwarded-for", b"via")


class NotPublic(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "Not Found"


class OwnOperations:
    """Stands before the gateway's own routes as the forwarder stands before a service."""

    def __init__(self, routes: ASGIApp, *, admit: Admit, ledger: Ledger) -> None:
        self._routes, self._admit, self._ledger = routes, admit, ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match find(scope["method"], scope["path"]):
            case Match() as match:
                answer = await self._serve(match, scope, receive)
                await answer(scope, receive, send)
            case _ if scope["path"] == METRICS and not _is_near(scope):
                await respond(NotPublic())(scope, receive, send)
            case _:
                await self._routes(scope, receive, send)

    async def _serve(self, match: Match, scope: Scope, receive: Receive) -> Response:
        """The whole answer; on record before anybody sees it, refused or not."""
        trace = trace_of(scope)
        exchange = Exchange(match.operation, trace.request_id)
        try:
            added = await self._admit(exchange, scope, match.parameters)
            headers = inward(scope, trace, added).items()
            raw = [(name.lower().encode(), value.encode()) for name, value in headers]
            held = HeldAnswer()
            await self._routes({**scope, "headers": raw}, receive, held.take)
            answer = held.response(exchange)
        except Exception as error:  # noqa: BLE001 -- in place of `shared.edge`, which is inside
            answer = respond(problem_for(error))
        exchange.end(answer.status_code, Outcome.of(answer.status_code))
        try:
            await self._ledger.record(exchange)
        except Problem as unrecorded:
            answer = respond(unrecorded)
        answer.headers["X-Request-Id"] = trace.request_id
        return answer


@dataclass
class HeldAnswer:
    """What the own routes answer, kept until its record is durable."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def response(self, exchange: Exchange) -> Response:
        outer, subjects, exchange.fields = outward(self.headers, exchange.request_id)
        exchange.subjects = subjects or ()
        response = Response(self.body, self.status)
        response.raw_headers = outer
        return response


def _is_near(scope: Scope) -> bool:
    """On this machine or its private network, and not passed on by a proxy."""
    if any(find_header(scope["headers"], name) for name in FORWARDED) or not scope.get("client"):
        return False
    return ip_address(scope["client"][0]).is_private
