"""One access to personal data, as it is hashed and shown: the bytes are the record."""

from datetime import UTC, datetime
from typing import NamedTuple, Self

import orjson

from gateway.forwarding import Exchange, Outcome


class AccessRecord(NamedTuple):
    """`at` is UTC; `subjects` are keyed hashes of persons; digests are lower-case hex.

    The members stand in the order of their names, as in the canonical form. An answer too long to
    be held back has two records: the second `completes` the one of that id and alone has
    `response_sha256`. `request_id` may be the caller's, who may use it again.
    """

    agency: str | None
    at: datetime
    client: str | None
    completes: str | None
    dossier: str | None
    duration_ms: int
    fields: tuple[str, ...]
    id: str
    officer: str | None
    operation: str
    outcome: Outcome
    purpose: str | None
    request_id: str
    request_sha256: str | None
    response_sha256: str | None
    status: int
    subjects: tuple[str, ...]

    @classmethod
    def of(cls, exchange: Exchange) -> Self:
        return cls(
            agency=exchange.agency,
            at=exchange.started_at,
            client=exchange.client,
            completes=exchange.completes,
            dossier=exchange.dossier,
            duration_ms=round(exchange.duration_s * 1000),
            fields=exchange.fields,
            id=exchange.id,
            officer=exchange.officer,
            operation=exchange.operation.name,
            outcome=exchange.outcome,
            purpose=exchange.purpose,
            request_id=exchange.request_id,
            request_sha256=exchange.request_sha256,
            response_sha256=exchange.response_sha256,
            status=exchange.status,
            subjects=exchange.subjects,
        )

    def canonical(self) -> bytes:
        """JSON in UTF-8 with sorted keys and no spaces: what is hashed, kept and shown."""
        told = self._asdict()
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        told["at"] = at.replace("+00:00", "Z")
        return orjson.dumps(told)

    @classmethod
    def read(cls, canonical: bytes) -> Self:
        told = orjson.loads(canonical)
        return cls(
            **told
            | {
                "at": datetime.fromisoformat(told["at"]),
                "outcome": Outcome(told["outcome"]),
                "subjects": tuple(told["subjects"]),
                "fields": tuple(told["fields"]),
            }
        )
