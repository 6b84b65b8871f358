"""Collect the facts of one forwarded call while it runs, for its record in the ledger."""

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from starlette.types import Scope

from gateway.ledger.records import AccessOutcome, AccessRecord, PurposeKind
from gateway.operations.model import Operation
from shared.codes.time import utc_now
from shared.crypto.randomness import draw_block, draw_uuid
from shared.web.calls.internal_headers import RawHeader

# The key under which the scope of a call has its draft.
DRAFT = "access_record_draft"


@dataclass(slots=True)
class AccessRecordDraft:
    """The draft of an access record; `admit` sets the members of the caller.

    The forwarder sets the others. Digests of the bodies are lower-case hex, set only where the
    operation is recorded; they end with the call: the record holds commitments under `salt`, which
    the caller alone gets. `address` is recorded where no client is proven. `subjects` are keyed
    hashes. `status` is the status that the caller got: 0 before it, 499 if the caller left first.
    `outcome` is the effect at the service; a `replayed` answer had it at an earlier call.
    `completes` is the `id` of the first record of the same call (`request_id` is chosen by the
    caller and may repeat). `grants` and `legal_bases` name the right that allowed the call,
    `target` is the path of the resource that an act of administration changes.
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
    outcome: AccessOutcome = AccessOutcome.FAILED
    request_sha256: str | None = None
    response_sha256: str | None = None
    subjects: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    completes: str | None = None
    replayed: bool = False
    # `admit` sets this to check the whole body later; it raises a Problem.
    read_body: Callable[[bytes], None] | None = None
    id: str = field(default_factory=draw_uuid)
    started_at: datetime = field(default_factory=utc_now)
    duration_s: float = 0.0
    _began: float = field(default_factory=time.perf_counter)
    _salt: bytes = field(default=b"", repr=False)

    @property
    def holder(self) -> str:
        """Return the holder of the resources of this call: the proven client, else the address."""
        return self.client or self.address

    @property
    def salt(self) -> bytes:
        """Return the salt that opens the commitments of the record, drawn at first use."""
        self._salt = self._salt or draw_block()
        return self._salt

    def compute_part_commitment(self, part: str, digest: str | None) -> str | None:
        return None if digest is None else compute_body_commitment(self.salt, part, digest)

    def end_call(self, status: int, outcome: AccessOutcome) -> None:
        self.status, self.outcome = status, outcome
        self.duration_s = time.perf_counter() - self._began

    def build_record(self) -> AccessRecord:
        return AccessRecord(
            agency=self.agency,
            at=self.started_at,
            calls=1,
            client=self.client,
            completes=self.completes,
            dossier=self.dossier,
            duration_ms=round(self.duration_s * 1000),
            fields=self.fields,
            grants=self.grants,
            id=self.id,
            legal_bases=self.legal_bases,
            officer=self.officer,
            operation=self.operation.name,
            outcome=self.outcome,
            purpose=self.purpose,
            purpose_kind=self.purpose_kind,
            replayed=self.replayed,
            request_commitment=self.compute_part_commitment("request", self.request_sha256),
            request_id=self.request_id,
            response_commitment=self.compute_part_commitment("response", self.response_sha256),
            source=None,
            status=self.status or None,
            subjects=self.subjects,
            target=self.target,
        )


def compute_body_commitment(salt: bytes, part: str, digest: str) -> str:
    """Return HMAC-SHA-256 under `salt` of the name of the part and its SHA-256, all in hex.

    A plain digest of a body with few possible values would reveal it to each reader of the ledger.
    """
    return hmac.digest(salt, f"{part}:{digest}".encode(), "sha256").hex()


# The function sets the members of the caller in the draft and returns the headers for the upstream
# service; it raises the Problem that refuses the call.
Admit = Callable[[AccessRecordDraft, Scope, Mapping[str, str]], Awaitable[Sequence[RawHeader]]]


class Ledger(Protocol):
    def require_open(self, operation: Operation) -> None:
        """Raise a Problem where a call must not begin, because it could not be recorded."""

    async def record(self, draft: AccessRecordDraft) -> bytes:
        """Return the seal for the receipt once the record is durable; raise a Problem on failure.

        A cancelled wait does not withdraw the record.
        """

    def announce(self, draft: AccessRecordDraft) -> None:
        """Queue the record to be durable as soon as possible, without waiting for it."""

    def note(self, draft: AccessRecordDraft) -> None:
        """Queue the record of a call that is not `recorded`, without waiting for it."""
