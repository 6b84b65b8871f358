"""What the ledger's API takes and answers."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.forwarding import Outcome
from gateway.ledger.records import AccessRecord
from gateway.models import LedgerSeal, StoredRecord
from shared.events.codes import AgencyCode, DossierCode

PersonHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class RecordFilter(BaseModel):
    """`subject` is the keyed hash of a person, never a personal number."""

    subject: PersonHash | None = None
    dossier: DossierCode | None = None
    client: str | None = None
    agency: AgencyCode | None = None
    operation: str | None = Field(None, examples=["POST /identity/v1/verifications"])
    outcome: Outcome | None = None
    since: AwareDatetime | None = Field(None, alias="from")
    until: AwareDatetime | None = Field(None, alias="to", description="this instant excluded")


class RecordOut(BaseModel):
    """One access. `subjects` are keyed hashes; digests are SHA-256 in hex of the two bodies."""

    id: str
    at: datetime
    agency: str | None
    agency_name: str | None
    client: str | None
    officer: str | None
    operation: str
    purpose: str | None
    dossier: str | None
    subjects: list[str]
    fields: list[str]
    request_sha256: str | None
    response_sha256: str | None
    outcome: Outcome
    status: int
    duration_ms: int
    request_id: str
    completes: bool
    chain: str
    seal: int
    index: int

    @classmethod
    def of(cls, stored: StoredRecord, agency_name: str | None) -> "RecordOut":
        """Told from the sealed bytes, not from the columns beside them."""
        told = AccessRecord.read(stored.record)
        return cls.model_validate(
            {name: getattr(told, name) for name in AccessRecord.__dataclass_fields__}
            | {
                "agency_name": agency_name,
                "chain": stored.chain,
                "seal": stored.number,
                "index": stored.index,
            }
        )


class SealOut(BaseModel):
    """`header` is the exact text that was signed, `signature` is base64."""

    model_config = ConfigDict(from_attributes=True)

    chain: str
    number: int
    at: datetime
    count: int
    header: str
    signature: str

    @classmethod
    def of(cls, seal: LedgerSeal, signature: str) -> "SealOut":
        return cls(
            chain=seal.chain,
            number=seal.number,
            at=seal.at,
            count=seal.count,
            header=seal.header,
            signature=signature,
        )
