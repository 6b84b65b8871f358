"""Define the record of one access: its canonical bytes are hashed, stored and shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Self

import orjson

from gateway.ledger.record_draft import AccessOutcome, AccessRecordDraft, PurposeKind

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
    outcome: AccessOutcome
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
    def from_record_draft(cls, draft: AccessRecordDraft) -> Self:
        return cls(
            agency=draft.agency,
            at=draft.started_at,
            calls=1,
            client=draft.client,
            completes=draft.completes,
            dossier=draft.dossier,
            duration_ms=round(draft.duration_s * 1000),
            fields=draft.fields,
            grants=draft.grants,
            id=draft.id,
            legal_bases=draft.legal_bases,
            officer=draft.officer,
            operation=draft.operation.name,
            outcome=draft.outcome,
            purpose=draft.purpose,
            purpose_kind=draft.purpose_kind,
            replayed=draft.replayed,
            request_commitment=draft.compute_part_commitment("request", draft.request_sha256),
            request_id=draft.request_id,
            response_commitment=draft.compute_part_commitment("response", draft.response_sha256),
            source=None,
            status=draft.status or None,
            subjects=draft.subjects,
            target=draft.target,
        )

    def encode_canonical_json(self) -> bytes:
        """Return the canonical form: JSON in UTF-8 with sorted keys and no spaces."""
        members = self._asdict()
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        members["at"] = at.replace("+00:00", "Z")
        return orjson.dumps(members)

    @classmethod
    def parse_sealed_text(cls, canonical: bytes) -> Self:
        """Parse the record from its sealed text; members that its form lacks are None."""
        members = _ABSENT | orjson.loads(canonical)
        for name in _DROPPED:
            members.pop(name, None)
        kind = members["purpose_kind"]
        return cls(
            **members
            | {
                "at": datetime.fromisoformat(members["at"]),
                "outcome": AccessOutcome(members["outcome"]),
                "subjects": tuple(members["subjects"]),
                "fields": tuple(members["fields"]),
                "grants": _freeze_texts(members["grants"]),
                "legal_bases": _freeze_texts(members["legal_bases"]),
                "purpose_kind": kind and PurposeKind(kind),
            }
        )


def _freeze_texts(texts: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(texts)
