"""The recorded calls of a client system: keyed digests, times and codes, no personal data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deploy.conformance.catalogue import FaultKind

TOKEN_OPERATION = "POST /oauth/token"  # noqa: S105 -- the name of an operation, no secret
_LAST_SUCCESS = 299


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a push with its result; `content` and `dossier` are keyed digests."""

    content: str
    dossier: str
    source_time: datetime | None = None
    outcome: str | None = None

    @property
    def is_taken(self) -> bool:
        return self.outcome in {"accepted", "updated", "duplicate", "stale", "held"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call with its answer. Times are seconds since the start of the run.

    `dossier` is named by the path, `made` by the answer to a filing. They and `query`, `after`,
    `body`, `token`, `key`, `if_match`, `etag` and `next` are keyed digests, None where the call or
    its answer has none; `query` leaves `limit` and `after` out. `status` is None where no answer
    was sent. `faults` says how the kit disturbed the call.
    """

    number: int
    step: str
    operation: str | None
    began: float
    ended: float | None = None
    client: str | None = None
    dossier: str | None = None
    made: str | None = None
    query: str = ""
    after: str | None = None
    body: str = ""
    token: str | None = None
    key: str | None = None
    if_match: str | None = None
    has_purpose: bool = False
    has_officer: bool = False
    holds_number: bool = False
    status: int | None = None
    problem: str | None = None
    retry_after: float | None = None
    etag: str | None = None
    next: str | None = None
    lifetime: float | None = None
    request_id: str | None = None
    faults: tuple[FaultKind, ...] = ()
    has_left: bool = False
    rows: tuple[Row, ...] = ()

    @property
    def is_token_request(self) -> bool:
        return self.operation == TOKEN_OPERATION

    @property
    def is_delivered(self) -> bool:
        """Return whether the client got the success of the sandbox."""
        in_place = {FaultKind.REFUSE, FaultKind.LOSE, FaultKind.TIME_OUT} & set(self.faults)
        succeeded = self.status is not None and self.status <= _LAST_SUCCESS
        return succeeded and not in_place and not self.has_left

    @property
    def is_disturbed(self) -> bool:
        """Return whether the answer was not that of the sandbox."""
        return not {FaultKind.REFUSE, FaultKind.LOSE, FaultKind.TIME_OUT}.isdisjoint(self.faults)

    def is_same_request(self, other: "Call") -> bool:
        """Return whether the two say the same, with any token, key and precondition."""
        return (self.operation, self.dossier, self.query, self.after, self.body) == (
            other.operation,
            other.dossier,
            other.query,
            other.after,
            other.body,
        )

    def is_repeated_by(self, other: "Call") -> bool:
        """Return whether the other is meant as a repeat: the same request, or the same key."""
        same_key = self.key is not None and self.key == other.key
        return self.is_same_request(other) or (same_key and self.operation == other.operation)


@dataclass(frozen=True, slots=True)
class Trace:
    """The calls of the judged client in their order, and how many acts each step asked for."""

    calls: tuple[Call, ...]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def acts(self) -> tuple[Call, ...]:
        """Return the calls without those that fetch a token."""
        return tuple(call for call in self.calls if not call.is_token_request)

    def list_later(self, call: Call) -> tuple[Call, ...]:
        """Return the later calls of the same step, in their order."""
        return tuple(
            other for other in self.calls if other.step == call.step and other.number > call.number
        )

    def list_repeats(self, call: Call) -> tuple[Call, ...]:
        return tuple(other for other in self.list_later(call) if call.is_repeated_by(other))

    def list_struck(self, kind: FaultKind) -> tuple[Call, ...]:
        return tuple(call for call in self.calls if kind in call.faults)

    def iterate_steps(self) -> Iterator[tuple[str, tuple[Call, ...]]]:
        """Yield each step with its calls."""
        for step in dict.fromkeys(call.step for call in self.calls):
            yield step, tuple(call for call in self.calls if call.step == step)
