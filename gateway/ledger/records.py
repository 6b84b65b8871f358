"""One access to personal data, as it is hashed and shown: the bytes are the record."""

from datetime import UTC, datetime
from typing import NamedTuple, Self

import orjson

from gateway.forwarding import Exchange, Outcome


class AccessRecord(NamedTuple):
    """`at` is UTC; `subjects` are keyed hashes of persons; digests are lower-case hex.

    An answer too long to be held back has two records: the second `completes` the one of that id
    and alone has `response_sha256`. `request_id` may be the caller's, who may use it again.
    """

    id: str
    at: datetime
    agency: str | None
    client: str | None
    officer: str | None
    operation: str
    purpose: str | None
    dossier: str | None
    subjects: tuple[str, ...]
    fields: tuple[str, ...]
    request_sha256: str | None
    response_sha256: str | None
    outcome: Outcome
    status: int
    duration_ms: int
    request_id: str
    completes: str | None = None

    @classmethod
    def of(cls, exchange: Exchange) -> Self:
        return cls(
            id=exchange.id,
            at=exchange.started_at,
            agency=exchange.agency,
            client=exchange.client,
            officer=exchange.officer,
            operation=exchange.operation.name,
            purpose=exchange.purpose,
            dossier=exchange.dossier,
            subjects=exchange.subjects,
            fields=exchange.fields,
            request_sha256=exchange.request_sha256,
            response_sha256=exchange.response_sha256,
            outcome=exchange.outcome,
            status=exchange.status,
            duration_ms=round(exchange.duration_s * 1000),
            request_id=exchange.request_id,
            completes=exchange.completes,
        )

    def canonical(self) -> bytes:
        """JSON in UTF-8 with sorted keys and no spaces: what is hashed, kept and shown."""
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return orjson.dumps(self._asdict() | {"at": at}, option=orjson.OPT_SORT_KEYS)

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
