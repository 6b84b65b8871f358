"""How one call ends: its record first where it touches personal data, then its answer."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import structlog
from aiohttp import ClientError, ClientResponse
from starlette.types import Send

from gateway.forwarding.exchange import CALLER_GONE, Exchange, Ledger, Outcome
from gateway.forwarding.headers import Trace, outward
from gateway.problems import SubjectNotNamed
from gateway.upstreams import KIB, MIB, Match
from shared.problems import Problem
from shared.telemetry import REQUEST_SECONDS

log = structlog.get_logger()

# An answer with personal data up to this size is held back until its record is whole.
_HELD_BACK = MIB
# Other answers of a known size up to this are sent in one piece: a break is then a clean 502.
_IN_ONE_PIECE = 64 * KIB


class Call:
    def __init__(self, match: Match, trace: Trace, *, ledger: Ledger, send: Send) -> None:
        self.operation = match.operation
        self.parameters: Mapping[str, str] = match.parameters
        self.trace = trace
        self.exchange = Exchange(match.operation, trace.request_id)
        self.begun = False
        self._ledger, self._send = ledger, send
        self._recorded = False

    def opening_limit(self, response: ClientResponse) -> int:
        """How many bytes to have before the answer begins; 0: it is a stream, begin at once."""
        if self.operation.personal:
            return _HELD_BACK + 1
        length = response.content_length
        return 0 if length is None or length > _IN_ONE_PIECE else _IN_ONE_PIECE

    async def answer(self, response: ClientResponse, opening: bytes, *, whole: bool) -> None:
        exchange, headers = self.exchange, outward(response.raw_headers, self.trace.request_id)
        exchange.subjects, exchange.fields = headers.subjects or (), headers.fields
        success = HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES
        if self.operation.personal and success and headers.subjects is None:
            raise SubjectNotNamed(self.operation.service)
        exchange.end(response.status, Outcome.of(response.status))
        digest = hashlib.sha256(opening) if self.operation.personal else None
        if whole and digest:
            exchange.response_sha256 = digest.hexdigest()
        await self._record()
        self.begun = True
        await self._send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": headers.outer,
            }
        )
        if whole or opening:
            await self._send_piece(opening, more=not whole)
        if not whole:
            await self._stream(response, digest)
        self._note()

    async def refuse(self, problem: Problem) -> Problem:
        """What to answer: the problem, or that the refusal could not be recorded."""
        failed = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        attempted = self._recorded
        self.exchange.end(problem.status, Outcome.FAILED if failed else Outcome.REFUSED)
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

    async def _stream(self, response: ClientResponse, digest: "hashlib._Hash | None") -> None:
        try:
            async for piece in response.content.iter_any():
                if digest:
                    digest.update(piece)
                await self._send_piece(piece, more=True)
        except (ClientError, TimeoutError):
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
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    async def _record(self) -> None:
        if self.operation.personal:
            self._recorded = True
            await self._ledger.record(self.exchange)

    def _note(self) -> None:
        exchange = self.exchange
        REQUEST_SECONDS.labels(
            self.operation.method, self.operation.template, exchange.status
        ).observe(exchange.duration_s)
        if not self.operation.personal:
            self._ledger.note(exchange)

    async def _complete(self, *, response_sha256: str | None, outcome: Outcome) -> None:
        if not self.operation.personal:
            return
        rest = replace(self.exchange, completes=True, response_sha256=response_sha256)
        rest.end(rest.status, outcome)
        try:
            await self._ledger.record(rest)
        except Problem:
            # The access itself is on record; only the digest of the long answer is not.
            log.exception("completion_not_recorded", request_id=self.trace.request_id)
