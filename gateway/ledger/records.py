"""Define the record of one access: its canonical bytes are hashed, stored and shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Self

import orjson

from gateway.ledger.record_draft import Exchange, Outcome, PurposeKind

# Records of the first form hold plain digests of the bodies. These members stay sealed and are
# shown only within the whole sealed text. Records of the second form lack the grants, the legal
# bases and the target of a call, those of the third form lack `replayed`.
_ABSENT = {
    "request_commitment": None,
    "response_commitment": None,
    "source": None,
    "calls": 1,
    "grants": None,
    "legal_bases": None,
    "purpose_kind": None,
    "target": None,
    "replayed": None,
}
_DROPPED = ("request_sha256", "response_sha256")


class AccessRecord(NamedTuple):
    """A record of one access, or of the summed calls of a minute.

    `at` is UTC; `subjects` are keyed hashes of persons; commitments are lower-case hex. The members
    are in alphabetical order, as in the canonical form. An answer too long to be held back has two
    records: the second `completes` the one of that id and alone has `response_commitment`. The
    caller may have chosen `request_id` and may repeat it. Calls without a client are summed:
    `calls` is their number, `source` the keyed hash of their address, and `at` the minute. `grants`
    and `legal_bases` are those that allowed the call, empty for a refused call and None in older
    forms. `target` is the path of the resource that an act changes. `replayed` marks an answer that
    was repeated: the call itself had no effect.
    """

    agency: str | None
    at: datetime
    calls: int
    client: str | None
    completes: str | None
    dossier: str | None
    duration_ms: int
    fields: tuple[str, ...]
    grants: tuple[str, ...] | None
    id: str
    legal_bases: tuple[str, ...] | None
    officer: str | None
    operation: str
    outcome: Outcome
    purpose: str | None
    purpose_kind: PurposeKind | None
    replayed: bool | None
    request_commitment: str | None
    request_id: str | None
    response_commitment: str | None
    source: str | None
    status: int | None
    subjects: tuple[str, ...]
    target: str | None

    @classmethod
    def of(cls, exchange: Exchange) -> Self:
        return cls(
            agency=exchange.agency,
            at=exchange.started_at,
            calls=1,
            client=exchange.client,
            completes=exchange.completes,
            dossier=exchange.dossier,
            duration_ms=round(exchange.duration_s * 1000),
            fields=exchange.fields,
            grants=exchange.grants,
            id=exchange.id,
            legal_bases=exchange.legal_bases,
            officer=exchange.officer,
            operation=exchange.operation.name,
            outcome=exchange.outcome,
            purpose=exchange.purpose,
            purpose_kind=exchange.purpose_kind,
            replayed=exchange.replayed,
            request_commitment=exchange.commit_to("request", exchange.request_sha256),
            request_id=exchange.request_id,
            response_commitment=exchange.commit_to("response", exchange.response_sha256),
            source=None,
            status=exchange.status or None,
            subjects=exchange.subjects,
            target=exchange.target,
        )

    def canonical(self) -> bytes:
        """Return the canonical form: JSON in UTF-8 with sorted keys and no spaces."""
        told = self._asdict()
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        told["at"] = at.replace("+00:00", "Z")
        return orjson.dumps(told)

    @classmethod
    def read(cls, canonical: bytes) -> Self:
        """Parse the record from its sealed text; members that its form lacks are None."""
        told = _ABSENT | orjson.loads(canonical)
        for name in _DROPPED:
            told.pop(name, None)
        kind = told["purpose_kind"]
        return cls(
            **told
            | {
                "at": datetime.fromisoformat(told["at"]),
                "outcome": Outcome(told["outcome"]),
                "subjects": tuple(told["subjects"]),
                "fields": tuple(told["fields"]),
                "grants": _tuple_or_none(told["grants"]),
                "legal_bases": _tuple_or_none(told["legal_bases"]),
                "purpose_kind": kind and PurposeKind(kind),
            }
        )


def _tuple_or_none(texts: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(texts)
