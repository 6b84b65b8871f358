"""Sum calls without a proven client; otherwise any caller could fill the ledger."""

import hmac
from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import AccessOutcome, AccessRecord

# This bounds the sums of one minute with class and status. Further sums keep the source and the
# outcome alone, so that a few callers with many kinds of errors do not hide the other sources.
MAX_DETAILED_SUMS = 64
# This bounds the sums of one minute with a source; further addresses are summed together.
MAX_SUMS = 128
_KEY_PURPOSE = b"addresses of callers without a client"
_ANY = "any"


class _Sum(NamedTuple):
    """The calls that are counted together. `source` is None where there are too many sources."""

    source: str | None
    operation: str
    outcome: AccessOutcome
    status: int


class AnonymousCalls:
    """Count calls by keyed address, class of operation, outcome and status, minute by minute.

    The address is keyed under a secret that is derived from the key of the ledger: readers can see
    that two sums have one source, but not its address.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = hmac.digest(key.private_bytes_raw(), _KEY_PURPOSE, "sha256")
        self._minute = datetime.min.replace(tzinfo=UTC)
        self._counts: Counter[_Sum] = Counter()
        self._ended: list[AccessRecord] = []

    def add_anonymous_call(self, draft: AccessRecordDraft, now: datetime) -> None:
        self._begin_minute(now)
        operation = f"any {draft.operation.quota_class}"
        source, outcome = self.hash_source_address(draft.address), draft.outcome
        for key, limit in (
            (_Sum(source, operation, outcome, draft.status), MAX_DETAILED_SUMS),
            (_Sum(source, _ANY, outcome, 0), MAX_SUMS),
        ):
            if key in self._counts or len(self._counts) < limit:
                self._counts[key] += 1
                return
        self._counts[_Sum(None, _ANY, outcome, 0)] += 1

    def take_ended_sums(self, now: datetime) -> list[AccessRecord]:
        """Return and clear the sums of all minutes that are over."""
        self._begin_minute(now)
        return self._take_ended_records()

    def take_all_sums(self) -> list[AccessRecord]:
        """Return and clear all sums, including those of the present minute."""
        self._end_minute()
        return self._take_ended_records()

    def hash_source_address(self, address: str) -> str:
        """Return the keyed hash of an address in the form of `normalise_counted_address`."""
        return hmac.digest(self._key, address.encode(), "sha256").hex()

    def _begin_minute(self, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        # A clock that is set back must not end a minute twice.
        if minute > self._minute:
            self._end_minute()
            self._minute = minute

    def _end_minute(self) -> None:
        self._ended += [
            _build_sum_record(key, count, self._minute) for key, count in self._counts.items()
        ]
        self._counts.clear()

    def _take_ended_records(self) -> list[AccessRecord]:
        taken, self._ended = self._ended, []
        return taken


def _build_sum_record(key: _Sum, count: int, minute: datetime) -> AccessRecord:
    return AccessRecord(
        agency=None,
        at=minute,
        calls=count,
        client=None,
        completes=None,
        dossier=None,
        duration_ms=0,
        fields=(),
        grants=(),
        id=str(uuid4()),
        legal_bases=(),
        officer=None,
        operation=key.operation,
        outcome=key.outcome,
        purpose=None,
        purpose_kind=None,
        replayed=False,
        request_commitment=None,
        request_id=None,
        response_commitment=None,
        source=key.source,
        status=key.status or None,
        subjects=(),
        target=None,
    )
