"""Record calls as keyed digests, codes and times; the key is made for one run and not kept."""

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

import jwt

from deploy.conformance.catalogue import FaultKind
from deploy.conformance.messages import Answer, Request, read_object
from deploy.conformance.trace import TOKEN_OPERATION, Call, Row, Trace
from gateway.operations.matching import Match, match_operation
from shared.codes.persons.personal_numbers import holds_personal_number

_PAGING = frozenset(["limit", "after"])
_HEADERS_WITHOUT_NUMBERS = (
    *("x-purpose", "x-officer", "x-dossier", "x-request-id", "idempotency-key", "referer"),
)
_PUSHES = frozenset(["POST /sync/v1/dossiers", "POST /sync/v1/progress"])


class Recorder:
    """Record the calls of one client; those of other clients pass without a trace."""

    def __init__(self, client: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._key, self._began = secrets.token_bytes(32), clock()
        self._calls: dict[int, Call] = {}
        self.changed_at = self.read_clock()
        self.calls_of_others = 0

    def read_clock(self) -> float:
        """Return the seconds since the start of the run."""
        return self._clock() - self._began

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(self._calls.values())

    @property
    def is_call_under_way(self) -> bool:
        return any(call.ended is None for call in self._calls.values())

    def build_trace(self, counts: dict[str, int]) -> Trace:
        return Trace(self.calls, counts)

    def open_call(self, request: Request, step: str) -> Call | None:
        """Record that a call has come; return None for one that is not judged."""
        match = match_operation(request.method, request.path)
        operation = match.operation if isinstance(match, Match) else None
        client = _find_client(request, operation.name if operation else None)
        is_public = operation is not None and operation.public
        if client not in {self._client, None} or (client is None and is_public):
            self.calls_of_others += client is not None
            return None
        call = self._describe_request(request, match, step)
        self._calls[call.number] = call
        self.changed_at = call.began
        return call

    def close_call(
        self,
        call: Call,
        answer: Answer | None,
        *,
        faults: Sequence[FaultKind] = (),
        has_left: bool = False,
    ) -> Call:
        """Record the answer, None where the connection is broken."""
        closed = replace(call, ended=self.read_clock(), faults=tuple(faults), has_left=has_left)
        if answer is not None:
            closed = self._describe_answer(closed, answer)
        self._calls[call.number] = closed
        self.changed_at = self.read_clock()
        return closed

    def _describe_request(self, request: Request, match: object, step: str) -> Call:
        headers = request.headers
        query = parse_qsl(request.query, keep_blank_values=True)
        filters = sorted(pair for pair in query if pair[0] not in _PAGING)
        after = dict(query).get("after")
        parameters = match.parameters if isinstance(match, Match) else {}
        operation = match.operation.name if isinstance(match, Match) else None
        return Call(
            number=len(self._calls) + 1,
            step=step,
            operation=operation,
            began=self.read_clock(),
            client=self._client,
            dossier=self._digest(parameters.get("code")),
            query=self._digest(repr(filters)) or "",
            after=self._digest(after),
            # The proofs in the request for a token are not worth a digest.
            body="" if operation == TOKEN_OPERATION else self._digest_bytes(request.body),
            token=self._digest(headers.get("authorization")),
            key=self._digest(headers.get("idempotency-key")),
            if_match=self._digest(headers.get("if-match")),
            has_purpose=bool(headers.get("x-purpose")),
            has_officer=bool(headers.get("x-officer")),
            holds_number=any(map(holds_personal_number, _list_open_texts(request, query))),
            rows=self._read_rows(request.body) if operation in _PUSHES else (),
        )

    def _describe_answer(self, call: Call, answer: Answer) -> Call:
        headers = answer.headers
        content = answer.read_object()
        return replace(
            call,
            status=answer.status,
            problem=_read_problem(content),
            retry_after=_read_number(headers.get("retry-after")),
            etag=self._digest(headers.get("etag")),
            next=self._digest(content.get("next")),
            made=self._digest(content.get("code")) if not call.dossier else None,
            lifetime=_read_number(content.get("expires_in")),
            request_id=headers.get("x-request-id"),
            rows=_add_outcomes(call.rows, content),
        )

    def _digest(self, text: object) -> str | None:
        return None if text is None else self._digest_bytes(str(text).encode())

    def _digest_bytes(self, content: bytes) -> str:
        return blake2b(content, key=self._key, digest_size=12).hexdigest()

    def _read_rows(self, body: bytes) -> tuple[Row, ...]:
        rows = read_object(body).get("rows")
        found = rows if isinstance(rows, list) else []
        try:
            return tuple(self._describe_row(row) for row in found if isinstance(row, dict))
        except RecursionError:
            return ()

    def _describe_row(self, row: dict[str, Any]) -> Row:
        try:
            source_time = datetime.fromisoformat(str(row.get("source_time")))
        except ValueError:
            source_time = None
        return Row(
            content=self._digest_bytes(repr(sorted(row.items())).encode()),
            dossier=self._digest_bytes(str(row.get("code")).encode()),
            source_time=source_time if source_time and source_time.tzinfo else None,
        )


def _find_client(request: Request, operation: str | None) -> str | None:
    """Return the client that a call names, unproven, or None."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _read_basic_user(credentials)
    if operation == TOKEN_OPERATION:
        form = dict(parse_qsl(request.body.decode("ascii", "replace")))
        return form.get("client_id") or _read_subject(form.get("client_assertion", ""))
    return _read_subject(credentials.strip())


def _read_basic_user(credentials: str) -> str | None:
    try:
        user = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (ValueError, binascii.Error):
        return None
    return unquote_plus(user)


def _read_subject(token: str) -> str | None:
    try:
        subject = jwt.decode(token, options={"verify_signature": False}).get("sub")
    except (jwt.PyJWTError, RecursionError):
        return None
    return str(subject) if subject else None


def _list_open_texts(request: Request, query: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the texts that logs of any server on the way may hold."""
    yield from unquote(request.path).split("/")
    # A cursor is written by the mesh.
    yield from (value for name, value in query if name != "after")
    yield from filter(None, map(request.headers.get, _HEADERS_WITHOUT_NUMBERS))


def _read_problem(content: dict[str, Any]) -> str | None:
    kind = content.get("type")
    if isinstance(kind, str) and "/problems/" in kind:
        return kind.rpartition("/")[2]
    return None


def _read_number(text: object) -> float | None:
    try:
        return None if text is None else float(str(text))
    except ValueError:
        return None


def _add_outcomes(rows: tuple[Row, ...], content: dict[str, Any]) -> tuple[Row, ...]:
    results = content.get("results")
    if not isinstance(results, list) or len(results) != len(rows):
        return rows
    return tuple(
        replace(row, outcome=str(result.get("outcome")))
        for row, result in zip(rows, results, strict=True)
    )
