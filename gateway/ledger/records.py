"""Define the record of one access: its canonical bytes are hashed, stored and shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple, Self

import orjson

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
CALLER_GONE = 499
# A 404 hides rows outside the right, so it may answer a search through foreign dossiers.
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
    # A well-formed procedure code was used before the whole catalogue was received.
    UNCHECKED = "unchecked"
    UNKNOWN = "unknown"


class AccessOutcome(StrEnum):
    """The effect of a call, as a record states it.

    Records of the first form state `allowed` for `no_effect` and for a 404.
    """

    ALLOWED = "allowed"
    REFUSED = "refused"
    # The service accepted the call without an effect or data: 400, 409, 412, 422 …
    NO_EFFECT = "no_effect"
    # A part of the mesh failed.
    FAILED = "failed"
    # The service got the call, and its answer is not known: a change may have been made.
    UNKNOWN = "unknown"

    @classmethod
    def from_refusal(cls, status: int) -> "AccessOutcome":
        """Return the outcome of a call that the gateway answered without its service."""
        return cls.FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else cls.REFUSED

    @classmethod
    def from_status(cls, status: int) -> "AccessOutcome":
        """Return the effect of a call that its service answered with `status`."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return cls.FAILED
        if status < HTTPStatus.BAD_REQUEST:
            return cls.ALLOWED
        return cls.REFUSED if status in _REFUSALS else cls.NO_EFFECT


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
