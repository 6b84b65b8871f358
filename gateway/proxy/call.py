"""End one call: record it first where it touches personal data or rights, then answer it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from gateway.access.problems import QuotaSpent
from gateway.http1.connection import BrokenOffError, Connection
from gateway.http1.deadline import Deadline, Task
from gateway.ledger.chain.receipts import RECEIPT, write_receipt_value
from gateway.ledger.record_draft import AccessRecordDraft, Ledger
from gateway.ledger.records import CALLER_GONE, AccessOutcome
from gateway.operations.deprecation import list_deprecation_headers
from gateway.operations.matching import Match
from gateway.operations.targets import find_created_path
from gateway.proxy.bodies import CallerGone
from gateway.proxy.headers import RawHeaders, Trace, find_header, is_replayed, split_headers
from gateway.proxy.problems import SubjectNotNamed
from shared.crypto.randomness import draw_uuid
from shared.observability.metrics import REQUEST_SECONDS
from shared.web.problems import Problem, find_problem, respond

log = structlog.get_logger()

# A caller that reads nothing for this time is gone; it would hold a slot for ever.
_TAKEN_WITHIN_S = 30.0
_NOT_MODIFIED = HTTPStatus.NOT_MODIFIED

UNRECORDED = Counter(
    "ledger_refusals_unrecorded_total", "Refusals that repeat a recorded one within the minute"
)


@cache  # the operations and statuses are few
def _label_request_seconds(method: str, template: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, template, status)


class Call:
    """One call with its record. `measured` is set where other code counts it in the metric.

    From the moment the service is called until its answer is known the outcome is unknown, and a
    change is recorded as such while the service works. The call may end for its caller before that:
    it is then *given up*, and a later answer of the service completes the record.
    """

    def __init__(
        self, match: Match, trace: Trace, *, ledger: Ledger, send: Send, task: Task
    ) -> None:
        self.operation = match.operation
        self.parameters: Mapping[str, str] = match.parameters
        self.trace = trace
        self.draft = AccessRecordDraft(match.operation, trace.request_id)
        self.begun = self.measured = self.given_up = False
        self.has_caller_left: Callable[[], bool] = lambda: False
        self.task, self._ledger, self._send = task, ledger, send
        self._asked = self._recorded = self._unrecorded = False
        self._service_status = 0  # 0 until the service has answered
        self._receipt: RawHeaders = ()
        mark = match.operation.deprecation
        self._deprecation = list_deprecation_headers(mark, match.parameters) if mark else ()
        self._completion: str | None = None
        self._giving_up: Task | None = None

    async def carry_out_work(self, work: Awaitable[None], scope: Scope, receive: Receive) -> None:
        """Await `work`, which answers; its error becomes the answer and the record."""
        self._scope, self._receive = scope, receive
        try:
            await work
        except CallerGone:
            if not self.given_up:  # a given-up call is recorded already
                await self.record_abandonment()
        except asyncio.CancelledError:
            self._record_lost_call()
            raise
        except Exception as error:
            # This is the outermost handler of a call, as `shared.web.middleware` is elsewhere.
            if self.begun:
                raise
            if not self.given_up:
                await self._send_refusal(find_problem(error))
            elif not self._asked:
                await self._complete_given_up_record()
        finally:
            if self._giving_up:
                await self._giving_up

    async def _send_problem(self, problem: Problem) -> None:
        response = respond(problem, self._scope)
        response.raw_headers.extend(
            (*self.trace.list_id_headers(), *self._receipt, *self._deprecation)
        )
        await response(self._scope, self._receive, self._send)

    def announce_service_call(self, request_sha256: str | None) -> None:
        """Note that the service is called; a change is recorded while the service works."""
        self.draft.request_sha256 = request_sha256
        if self.operation.recorded and self.operation.takes_effect:
            self.draft.outcome = AccessOutcome.UNKNOWN
            self._ledger.announce(self._next_record())
        self._asked = True

    def withdraw_announcement(self) -> None:
        """Withdraw `announce_service_call`: the service never got the whole request."""
        self._asked = False

    @property
    def can_be_given_up(self) -> bool:
        return self.operation.recorded and self._asked and not (self.begun or self.given_up)

    def give_up(self, problem: Problem | None) -> None:
        """Answer with `problem` in place of the service's answer; None: the caller has left."""
        self.given_up = True
        ending = self.record_abandonment() if problem is None else self._send_refusal(problem)
        self._giving_up = asyncio.create_task(ending)

    async def _send_refusal(self, problem: Problem) -> None:
        await self._send_problem(await self.record_refusal(problem))

    async def record_and_answer(
        self, status: int, raw: RawHeaders, opening: bytes, rest: Connection | None
    ) -> None:
        """Record the call and send its answer; `rest` is None if `opening` is the whole body."""
        outer = self._apply_response_headers(status, raw)
        if self.given_up:
            await self._complete_given_up_record()
            return
        if self.has_caller_left():
            raise CallerGone
        digest = hashlib.sha256(opening) if self.operation.recorded else None
        completion = draw_uuid() if digest and rest else None
        if digest and rest is None:
            self.draft.response_sha256 = digest.hexdigest()
        await self._record_durably(completion)
        if self.has_caller_left():
            raise CallerGone
        self.begun = True
        headers = [*outer, *self._receipt, *self._deprecation]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        if rest is None:
            # The server buffers an answer of one piece, so a slow caller does not delay it.
            await self._send({"type": "http.response.body", "body": opening})
        else:
            if opening:
                await self._send_piece(opening, more=True)
            await self._stream_rest(rest, digest)
        self._note_ended_call()

    def _apply_response_headers(self, status: int, raw: RawHeaders) -> RawHeaders:
        """Move the headers for the ledger into the draft; raise SubjectNotNamed."""
        draft, answer = self.draft, split_headers(raw, self.trace.request_id)
        draft.subjects, draft.fields = answer.subjects or (), answer.fields
        draft.dossier, draft.replayed = answer.dossier or draft.dossier, is_replayed(raw)
        if self.operation.is_administration and status == HTTPStatus.CREATED:
            draft.target = find_created_path(find_header(raw, b"location")) or draft.target
        # A 304 shows as much as the answer that the caller already has.
        look = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or status == _NOT_MODIFIED
        if self.operation.personal and look and answer.subjects is None:
            raise SubjectNotNamed(self.operation.service)
        self._service_status = status
        if not self.given_up:
            draft.end_call(status, AccessOutcome.from_status(status))
        return answer.outer

    async def _complete_given_up_record(self) -> None:
        if self._giving_up:
            await self._giving_up  # the first record must precede its completion
        self.draft.outcome = self._find_effect(AccessOutcome.FAILED)
        await self._record_or_log()

    async def record_refusal(self, problem: Problem) -> Problem:
        """Record the refusal and return the problem to send; it differs if recording fails."""
        self.draft.response_sha256 = None
        self.draft.end_call(
            problem.status, self._find_effect(AccessOutcome.from_refusal(problem.status))
        )
        if isinstance(problem, QuotaSpent) and problem.repeated:
            # Otherwise a refused caller could fill the ledger.
            self._observe_duration()
            UNRECORDED.inc()
            return problem
        self._note_ended_call()
        if self._unrecorded:
            await self._record_or_log()
            return problem
        try:
            await self._record_durably()
        except Problem as unrecorded:
            return unrecorded
        return problem

    async def record_abandonment(self) -> None:
        """Record that the caller disconnected."""
        self.draft.response_sha256 = None
        if self.begun:
            self._note_broken_answer()
        else:
            self.draft.end_call(CALLER_GONE, self._find_effect(AccessOutcome.FAILED))
        self._note_ended_call()
        await self._record_or_log()

    def _find_effect(self, unasked: AccessOutcome) -> AccessOutcome:
        """Return the effect at the service for a caller that does not get its answer."""
        if self._service_status:
            return AccessOutcome.from_status(self._service_status)
        return AccessOutcome.UNKNOWN if self._asked else unasked

    def _note_broken_answer(self) -> None:
        """Set the outcome of a partly sent answer: a change still took effect."""
        changes = self.operation.takes_effect
        self.draft.outcome = (
            self._find_effect(AccessOutcome.FAILED) if changes else AccessOutcome.FAILED
        )

    def _record_lost_call(self) -> None:
        """Record an unknown outcome where this process ends before the service answers."""
        if self._asked and not (self._service_status or self.given_up):
            self.draft.end_call(0, AccessOutcome.UNKNOWN)
            self._ledger.note(self._next_record())

    async def _stream_rest(self, rest: Connection, digest: "hashlib._Hash | None") -> None:
        try:
            async for piece in rest.iterate_body_pieces(self.operation.timeout_s):
                if digest:
                    digest.update(piece)
                await self._send_piece(piece, more=True)
        except (BrokenOffError, TimeoutError):
            # Without a last message the server closes the connection, so the caller notices the
            # break and does not take the part for the whole.
            log.warning("upstream_broke_midway", operation=self.operation.name)
            self._note_broken_answer()
            await self._record_or_log()
            return
        self.draft.response_sha256 = digest.hexdigest() if digest else None
        await self._record_or_log()
        await self._send_piece(b"", more=False)

    async def _send_piece(self, piece: bytes, *, more: bool) -> None:
        try:
            with Deadline(_TAKEN_WITHIN_S, self.task):
                await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        except TimeoutError:
            raise CallerGone from None

    def _next_record(self) -> AccessRecordDraft:
        """Return the first record of the call, or one that completes the first."""
        if not self._recorded:
            self._recorded = True
            return self.draft
        own_id = self._completion or draw_uuid()
        self._completion = None
        # One salt opens the commitments of all records of a call.
        salt = self.draft.salt
        return replace(self.draft, id=own_id, completes=self.draft.id, _salt=salt)

    async def _record_durably(self, completion: str | None = None) -> None:
        """Record the present state durably; `completion` is the id of a later record."""
        if not self.operation.recorded:
            return
        record = self._next_record()
        self._completion = completion
        try:
            seal = await self._ledger.record(record)
        except Problem:
            self._unrecorded = True
            raise
        if seal:
            value = write_receipt_value(record.id, record.salt, seal, completion=completion)
            self._receipt = ((RECEIPT, value),)

    async def _record_or_log(self) -> None:
        if self._unrecorded:
            self._ledger.note(self._next_record())  # a failed ledger is not awaited again
            return
        try:
            await self._record_durably()
        except Problem:
            log.exception("access_not_recorded", request_id=self.trace.request_id)

    def _note_ended_call(self) -> None:
        self._observe_duration()
        if not self.operation.recorded:
            self._ledger.note(self.draft)

    def _observe_duration(self) -> None:
        if not self.measured:
            labels = self.operation.method, self.operation.template, self.draft.status
            _label_request_seconds(*labels).observe(self.draft.duration_s)
