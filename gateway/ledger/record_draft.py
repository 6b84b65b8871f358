"""The facts of one passed-on call: filled while it runs, then handed to the ledger."""

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

from starlette.types import Scope

from gateway.operations.model import Operation
from shared.crypto.randomness import draw_block, draw_uuid

CALLER_GONE = 499
# A 404 hides things outside the right, so it is the answer to a search through foreign dossiers.
_REFUSALS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


class PurposeKind(StrEnum):
    """The meaning of a purpose, as the access record keeps it."""

    PROCEDURE = "procedure"
    ENDED_PROCEDURE = "ended_procedure"
    LEGAL_BASIS = "legal_basis"
    ENDED_LEGAL_BASIS = "ended_legal_basis"
    # It has the form of a procedure code, and the catalogue has not been received whole.
    UNCHECKED = "unchecked"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """The effect of a call, as a record states it.

    Records of the first words state `allowed` for `no_effect` and for a 404.
    """

    ALLOWED = "allowed"
    REFUSED = "refused"
    # The service let the call in, and neither did nor showed anything: 400, 409, 412, 422 …
    NO_EFFECT = "no_effect"
    # A part of the mesh did not do its work.
    FAILED = "failed"
    # The service was asked, and its answer is not known: a change may have been made.
    UNKNOWN = "unknown"

    @classmethod
    def of_refusal(cls, status: int) -> "Outcome":
        """Return how a call ended that did not come to its service."""
        return cls.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else cls.REFUSED

    @classmethod
    def of(cls, status: int) -> "Outcome":
        """Return the effect of a call that its service answered with `status`."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return cls.FAILED
        if status < HTTPStatus.BAD_REQUEST:
            return cls.ALLOWED
        return cls.REFUSED if status in _REFUSALS else cls.NO_EFFECT


@dataclass(slots=True)
class Exchange:
    """`admit` fills the caller's part, the forwarder the rest.

    Digests of the bodies are lower-case hex and stand only where the operation is recorded; they
    end with the call: the record holds commitments under `salt`, which the caller alone gets.
    `address` is told where no client is proven. `subjects` are keyed hashes. `status` is the
    caller's answer: 0 as long as there is none, 499 where the caller had left before. `outcome` is
    what the service did; where the answer is `replayed`, it did so at an earlier call. `completes`
    is the `id` of the first record of the same call (`request_id` is the caller's to choose, and to
    use again). `grants` and `legal_bases` name the right under which the call was let in, `target`
    the path of the thing that an act of administration changes.
    """

    operation: Operation
    request_id: str
    address: str = ""
    client: str | None = None
    agency: str | None = None
    officer: str | None = None
    purpose: str | None = None
    purpose_kind: PurposeKind | None = None
    grants: tuple[str, ...] = ()
    legal_bases: tuple[str, ...] = ()
    target: str | None = None
    dossier: str | None = None
    status: int = 0
    outcome: Outcome = Outcome.FAILED
    request_sha256: str | None = None
    response_sha256: str | None = None
    subjects: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    completes: str | None = None
    replayed: bool = False
    # Called with the whole body, where `admit` has still to look at it; raises the Problem.
    read_body: Callable[[bytes], None] | None = None
    id: str = field(default_factory=draw_uuid)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    duration_s: float = 0.0
    _began: float = field(default_factory=time.perf_counter)
    _salt: bytes = field(default=b"", repr=False)

    @property
    def holder(self) -> str:
        """Return the one who holds what this call holds: a proven client, else an address."""
        return self.client or self.address

    @property
    def salt(self) -> bytes:
        """Return what opens the commitments of the record; drawn when it is first asked for."""
        self._salt = self._salt or draw_block()
        return self._salt

    def commit_to(self, part: str, digest: str | None) -> str | None:
        return None if digest is None else commitment(self.salt, part, digest)

    def end(self, status: int, outcome: Outcome) -> None:
        self.status, self.outcome = status, outcome
        self.duration_s = time.perf_counter() - self._began


def commitment(salt: bytes, part: str, digest: str) -> str:
    """Return HMAC-SHA-256 under `salt` of the part's name and its SHA-256, all in hex.

    A plain digest of a body that has few possible values would show it to each reader of the
    ledger.
    """
    return hmac.digest(salt, f"{part}:{digest}".encode(), "sha256").hex()


# Who calls, and may they? Fills the caller's part of the exchange and answers with the headers
# that the service behind shall get; raises the Problem that refuses the call.
Admit = Callable[[Exchange, Scope, Mapping[str, str]], Awaitable[Sequence[tuple[str, str]]]]


class Ledger(Protocol):
    def require_open(self, operation: Operation) -> None:
        """Raises a Problem where a call must not begin, because it could not be recorded."""

    async def record(self, exchange: Exchange) -> bytes:
        """Return the seal for the receipt once the record is durable.

        Raises a Problem when it cannot be made so. A wait that is cancelled does not take the
        record back.
        """

    def announce(self, exchange: Exchange) -> None:
        """Make the record durable as soon as can be, and return before it is."""

    def note(self, exchange: Exchange) -> None:
        """Takes the record of a call that is not `recorded` and never waits."""
