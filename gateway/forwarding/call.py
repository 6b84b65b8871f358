"""How one call ends: its record first where it touches personal data or rights, then its answer."""

import hashlib
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from gateway.forwarding.bodies import BodyBrokeOff, CallerGone
from gateway.forwarding.connection import BrokenOffError, Connection
from gateway.forwarding.exchange import CALLER_GONE, Exchange, Ledger, Outcome
from gateway.forwarding.headers import Header, Headers, Trace, outward, trace_of
from gateway.forwarding.patience import Wait
from gateway.forwarding.receipt import RECEIPT_HEADER, receipt
from gateway.problems import QuotaSpent, RequestMalformed, SubjectNotNamed
from gateway.upstreams import KIB, MIB, Match
from shared.edge import METHODS, OTHER_METHOD, UNMATCHED
from shared.problems import Problem, problem_for, respond
from shared.telemetry import REQUEST_SECONDS

log = structlog.get_logger()

# An answer with personal data up to this size is held back until its record is whole.
_HELD_BACK = MIB
# Other answers of a known size up to this are sent in one piece: a break is then a clean 502.
_IN_ONE_PIECE = 64 * KIB
# Who takes nothing of its answer for that long is gone: it would hold a slot for ever.
_TAKEN_WITHIN_S = 30.0

_NOT_MODIFIED = HTTPStatus.NOT_MODIFIED

UNRECORDED = Counter(
    "ledger_refusals_unrecorded_total", "Refusals of callers who were told so within the minute"
)


@cache  # a row of the table and a status: there are only so many
def _seconds(method: str, template: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, template, status)


class Call:
    """`measured` is set where somebody else counts the call: its metric is one of one place."""

    def __init__(self, match: Match, trace: Trace, *, ledger: Ledger, send: Send) -> None:
        self.operation = match.operation
        self.parameters: Mapping[str, str] = match.parameters
        self.trace = trace
        self.exchange = Exchange(match.operation, trace.request_id)
        self.begun = self.measured = False
        self._ledger, self._send = ledger, send
        self._recorded = False
        self._receipt: tuple[Header, ...] = ()
        self._completion: str | None = None

    async def carry(self, work: Awaitable[None], scope: Scope, receive: Receive) -> None:
        """Awaits `work`, which answers; what it raises becomes the answer and the record."""
        try:
            await work
        except CallerGone as gone:
            await self.abandon()
            if isinstance(gone, BodyBrokeOff):
                problem = RequestMalformed("Send the whole body, as its length or its chunks say.")
                await self._tell(problem, scope, receive)
        except Exception as error:
            # The one broad catch of a call of the table, in place of `shared.edge`.
            if self.begun:
                raise
            await self._tell(await self.refuse(problem_for(error)), scope, receive)

    async def _tell(self, problem: Problem, scope: Scope, receive: Receive) -> None:
        response = respond(problem)
        response.raw_headers.extend((*self.trace.headers(), *self._receipt))
        await response(scope, receive, self._send)

    def opening_limit(self, answer: Connection) -> int:
        """How many bytes to have before the answer begins; 0: it is a stream, begin at once."""
        if self.operation.recorded:
            return _HELD_BACK + 1
        length = answer.content_length
        return 0 if length is None or length > _IN_ONE_PIECE else _IN_ONE_PIECE

    async def answer(
        self, status: int, raw: Headers, opening: bytes, rest: Connection | None
    ) -> None:
        """`rest` is None where `opening` is the whole body."""
        outer = self._end(status, raw)
        digest = hashlib.sha256(opening) if self.operation.recorded else None
        completion = str(uuid4()) if digest and rest else None
        if digest and rest is None:
            self.exchange.response_sha256 = digest.hexdigest()
        await self._record(completion)
        self.begun = True
        headers = [*outer, *self._receipt]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if rest is None or opening:
            await self._send_piece(opening, more=rest is not None)
        if rest is not None:
            await self._stream(rest, digest)
        self._note()

    def _end(self, status: int, raw: Headers) -> Headers:
        """Takes what the answer tells the ledger out of its headers; raises SubjectNotNamed."""
        exchange, told = self.exchange, outward(raw, self.trace.request_id)
        exchange.subjects, exchange.fields = told.subjects or (), told.fields
        exchange.dossier = told.dossier or exchange.dossier
        # 304 tells as much as the answer that the caller already has.
        look = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or status == _NOT_MODIFIED
        if self.operation.personal and look and told.subjects is None:
            raise SubjectNotNamed(self.operation.service)
        exchange.end(status, Outcome.of(status))
        return told.outer

    async def refuse(self, problem: Problem) -> Problem:
        """What to answer: the problem, or that the refusal could not be recorded."""
        failed = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        attempted = self._recorded
        self.exchange.end(problem.status, Outcome.FAILED if failed else Outcome.REFUSED)
        if isinstance(problem, QuotaSpent) and problem.repeated:
            # Or whoever is turned away could fill the ledger with it.
            self._measure()
            UNRECORDED.inc()
            return problem
        self._note()
        if attempted:
            return problem
        try:
            await self._record()
        except Problem as unrecorded:
            return unrecorded
        return problem

    async def abandon(self) -> None:
        """The caller hung up: what was done for nobody is still told."""
        if self._recorded:
            await self._complete(response_sha256=None, outcome=Outcome.FAILED)
            return
        self.exchange.end(CALLER_GONE, Outcome.FAILED)
        self._note()
        try:
            await self._record()
        except Problem:
            log.exception("access_not_recorded", request_id=self.trace.request_id)

    async def _stream(self, rest: Connection, digest: "hashlib._Hash | None") -> None:
        try:
            async for piece in rest.pieces(self.operation.timeout_s):
                if digest:
                    digest.update(piece)
                await self._send_piece(piece, more=True)
        except (BrokenOffError, TimeoutError):
            # Without its last message the server closes the connection: the caller sees the break,
            # not a shorter answer.
            log.warning("upstream_broke_midway", operation=self.operation.name)
            self.exchange.outcome = Outcome.FAILED
            await self._complete(response_sha256=None, outcome=Outcome.FAILED)
            return
        whole = digest.hexdigest() if digest else None
        await self._complete(response_sha256=whole, outcome=self.exchange.outcome)
        await self._send_piece(b"", more=False)

    async def _send_piece(self, piece: bytes, *, more: bool) -> None:
        try:
            with Wait(_TAKEN_WITHIN_S):
                await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        except TimeoutError:
            raise CallerGone from None

    async def _record(self, completion: str | None = None) -> None:
        if self.operation.recorded:
            self._recorded, self._completion = True, completion
            exchange = self.exchange
            seal = await self._ledger.record(exchange)
            value = receipt(exchange.id, exchange.salt, seal, completion=completion)
            self._receipt = ((RECEIPT_HEADER, value),)

    def _note(self) -> None:
        self._measure()
        if not self.operation.recorded:
            self._ledger.note(self.exchange)

    def _measure(self) -> None:
        if not self.measured:
            operation, exchange = self.operation, self.exchange
            taken = _seconds(operation.method, operation.template, exchange.status)
            taken.observe(exchange.duration_s)

    async def _complete(self, *, response_sha256: str | None, outcome: Outcome) -> None:
        if not self.operation.recorded:
            return
        rest = replace(
            self.exchange,
            id=self._completion or str(uuid4()),
            completes=self.exchange.id,
            response_sha256=response_sha256,
        )
        rest.end(rest.status, outcome)
        try:
            await self._ledger.record(rest)
        except Problem:
            # The access itself is on record; only the digest of the long answer is not.
            log.exception("completion_not_recorded", request_id=self.trace.request_id)


async def turn_away(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers what is no operation at all: with its ids and its metric, without a record."""
    trace = trace_of(scope)
    response = respond(problem)
    response.raw_headers.extend(trace.headers())
    method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
    REQUEST_SECONDS.labels(method, UNMATCHED, problem.status.value).observe(0.0)
    await response(scope, receive, send)
