"""Define the request filters and response bodies of the ledger."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.ledger.models import LedgerSeal, StoredRecord
from gateway.ledger.records import AccessOutcome, AccessRecord, PurposeKind
from shared.codes.agency import AgencyCode
from shared.codes.dossier import DossierCode
from shared.codes.persons.texts import ONE_LINE, single_line
from shared.web.bodies.strict_parsing import IsoInstant
from shared.web.pagination import ListFilter

PersonHash = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="the keyed hash of a person, 64 hex digits")
]


class RecordFilter(ListFilter):
    """Filter records; `subject` is the keyed hash of a person, never a personal number."""

    subject: PersonHash | None = None
    dossier: DossierCode | None = None
    client: Annotated[str, single_line(100), ONE_LINE] | None = None
    agency: AgencyCode | None = None
    operation: Annotated[str, single_line(300), ONE_LINE] | None = Field(
        None, examples=["POST /identity/v1/verifications"]
    )
    outcome: AccessOutcome | None = None
    since: IsoInstant | None = Field(None, alias="from")
    until: IsoInstant | None = Field(None, alias="to", description="this instant excluded")

    def list_read_members(self) -> set[str]:
        """Return the members of a record that the filter reads, except its instant."""
        names = set(self.model_dump(exclude={"since", "until"}, exclude_none=True))
        return {"subjects" if name == "subject" else name for name in names}


class SealFilter(ListFilter):
    chain: Annotated[str, single_line(100), ONE_LINE, Field(examples=["gateway-1"])] | None = None


_ALWAYS_SHOWN = frozenset({"id", "at"})


class RecordOut(BaseModel):
    """One access. `subjects` are keyed hashes; the commitments bind the two bodies.

    The caller alone can open a commitment, with the salt of its receipt. `completes` is the id of
    the record whose answer was too long to be held back. Where the right names fields, the other
    members are omitted, except the required ones. Calls without a client are summed by the minute:
    `calls` is how many came from `source`, the keyed hash of an address. `grants` (eight at most)
    and the `legal_bases` that they state allowed the call; older records lack both, `purpose_kind`,
    `target` and `replayed`.
    """

    id: str
    at: datetime
    chain: str
    seal: int
    index: int
    agency: str | None = None
    agency_name: str | None = None
    client: str | None = None
    officer: str | None = None
    operation: str | None = None
    purpose: str | None = None
    purpose_kind: PurposeKind | None = None
    grants: list[str] | None = None
    legal_bases: list[str] | None = None
    target: str | None = Field(
        None,
        description="the path of the resource that an act of administration changes",
        examples=["/identity/v1/clients/onestop-h26"],
    )
    dossier: str | None = Field(
        None,
        description="the dossier of the path or of the answer; where neither names one, the "
        "unverified value of the caller's X-Dossier",
        examples=["H26.101-261116-0001"],
    )
    replayed: bool | None = Field(
        None,
        description="the answer to an earlier call with the same Idempotency-Key was repeated:"
        " this call itself had no effect",
    )
    subjects: list[str] | None = None
    fields: list[str] | None = None
    request_commitment: str | None = None
    response_commitment: str | None = None
    outcome: AccessOutcome | None = None
    status: int | None = None
    duration_ms: int | None = None
    request_id: str | None = None
    completes: str | None = None
    calls: int | None = None
    source: str | None = None

    @classmethod
    def from_stored_record(
        cls, stored: StoredRecord, agency_name: str | None, fields: frozenset[str] | None
    ) -> "RecordOut":
        """Read the members from the sealed bytes, not from the columns; `fields` None means all."""
        members = AccessRecord.parse_sealed_text(stored.record)._asdict() | {
            "agency_name": agency_name
        }
        if fields is not None:
            members = {name: members[name] for name in members if name in _ALWAYS_SHOWN | fields}
        place = {"chain": stored.chain, "seal": stored.number, "index": stored.index}
        return cls.model_validate(members | place)

    @staticmethod
    def list_shown_members(fields: frozenset[str] | None) -> set[str]:
        """Return the members that a right to `fields` adds to the constant ones.

        None means all fields.
        """
        members = {*AccessRecord._fields, "agency_name"} - _ALWAYS_SHOWN
        return members if fields is None else members & fields


class SealOut(BaseModel):
    """The seal of a batch: `header` is the exact text that was signed, `signature` is base64."""

    model_config = ConfigDict(from_attributes=True)

    chain: str
    number: int
    at: datetime
    count: int
    header: str
    signature: str

    @classmethod
    def from_stored_seal(cls, seal: LedgerSeal, signature: str) -> "SealOut":
        return cls(
            chain=seal.chain,
            number=seal.number,
            at=seal.at,
            count=seal.count,
            header=seal.header,
            signature=signature,
        )
