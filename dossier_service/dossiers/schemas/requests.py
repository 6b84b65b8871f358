"""The request bodies of dossiers. A refusal never repeats a value: it may be a name."""

from collections.abc import Mapping
from re import fullmatch
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, Strict, model_validator

from dossier_service.catalogue.procedure import CaseCode, ResultCode
from dossier_service.dossiers.payment_methods import PaymentMethod
from shared.codes.agency import AgencyCode, WrittenAgencyCode, canonical_agency_code
from shared.codes.enum_names import name_values
from shared.codes.enums import Channel
from shared.codes.persons.birth_date import BirthDate
from shared.codes.persons.personal_numbers import NoPersonalNumber
from shared.codes.persons.texts import ONE_LINE, PersonName, SingleLineText, multi_line, single_line
from shared.codes.procedure import ProcedureCode
from shared.codes.reason import Reason
from shared.codes.step import StepCode
from shared.texts.translatable import Translatable
from shared.web.bodies.strict_parsing import IsoInstant, StrictInteger, StrictModel

_CITIZEN = 1
_KINDS = ("CITIZEN", "ENTERPRISE", "STATE_AGENCY", "OTHER_ORGANISATION")
MAX_DOCUMENTS = 100
MAX_FEES = 50


Note = Annotated[str, multi_line(1_000), Field(description="text without control characters")]
PersonalNumberText = Annotated[str, Field(pattern="^[0-9]{12}$", description="twelve digits")]
OrganisationNumber = Annotated[
    str, Field(pattern="^[0-9A-Z][0-9A-Z.-]{2,34}$", examples=["0100000001"])
]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 .()-]{5,19}$", examples=["+84 24 0000 0000"])]
Email = Annotated[
    str,
    Field(
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$",
        max_length=254,
        examples=["an@example.vn"],
    ),
]
PaperCode = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", examples=["TK-KS"]),
    NoPersonalNumber,
]
ExternalCode = Annotated[
    str, Field(pattern="^[A-Za-z0-9._/-]{1,50}$", examples=["HS/2026-17"]), NoPersonalNumber
]
FeeCode = Annotated[str, single_line(100), ONE_LINE]
AmountVnd = Annotated[int, Field(ge=1, le=10**15)]
Reference = Annotated[
    str, Field(pattern="^[A-Za-z0-9._/:-]{1,100}$", examples=["PAY-1"]), NoPersonalNumber
]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="64 hex digits, small")]


_ABSENT: JsonValue = {"type": "null"}
# As `_number_is_of_its_kind`.
_NUMBER_OF_KIND: Mapping[str, JsonValue] = MappingProxyType(
    {
        "if": {"properties": {"kind": {"const": _CITIZEN}}},
        "then": {"properties": {"organisation_number": _ABSENT}},
        "else": {"properties": {"personal_number": _ABSENT, "birth_date": _ABSENT}},
    }
)


class ApplicantIn(StrictModel):
    """`kind`: 1 citizen, 2 enterprise, 3 state agency, 4 other organisation."""

    model_config = ConfigDict(json_schema_extra=dict(_NUMBER_OF_KIND))

    kind: Annotated[
        Literal[1, 2, 3, 4], StrictInteger, Field(json_schema_extra=name_values(_KINDS))
    ]
    name: PersonName
    personal_number: PersonalNumberText | None = None
    organisation_number: OrganisationNumber | None = None
    birth_date: BirthDate | None = None
    phone: Phone | None = None
    email: Email | None = None
    address: Annotated[str, single_line(500), ONE_LINE] | None = None

    @model_validator(mode="after")
    def _number_is_of_its_kind(self) -> Self:
        if self.kind == _CITIZEN and self.organisation_number:
            raise ValueError(Translatable("a citizen (kind 1) has no organisation_number"))
        if self.kind != _CITIZEN and (self.personal_number or self.birth_date):
            raise ValueError(
                Translatable("only a citizen (kind 1) has a personal_number or a birth_date")
            )
        return self

    @property
    def identifying_number(self) -> str | None:
        """Return the personal number that names the applicant.

        A household business is registered under the personal number of its owner.
        """
        number = self.organisation_number
        is_personal = number is not None and fullmatch("[0-9]{12}", number) is not None
        return number if is_personal else self.personal_number


class DocumentIn(StrictModel):
    """`paper` is the code of the paper in the catalogue, or one of the agency's own."""

    paper: PaperCode
    name: SingleLineText
    kind: Literal["original", "copy", "electronic"]


TermCase = Annotated[
    CaseCode,
    Field(
        description="`case_code` of an entry of the procedure's channel: the case whose term"
        " counts; without it the longest term of the channel counts"
    ),
]


class FileDossier(StrictModel):
    """`fees` names fees that are due in one case only, and whose case the officer has found."""

    procedure: ProcedureCode
    channel: Annotated[Channel, Strict(strict=False), StrictInteger]
    applicant: ApplicantIn
    helped_by: AgencyCode | None = None
    received_by: WrittenAgencyCode
    decided_by: AgencyCode
    submitted_at: IsoInstant | None = None
    documents: list[DocumentIn] = Field(default_factory=list, max_length=MAX_DOCUMENTS)
    fees: Annotated[
        frozenset[FeeCode], Strict(strict=False), Field(max_length=MAX_FEES, fail_fast=True)
    ] = frozenset()
    term_case: TermCase | None = None
    summary: Note | None = None
    external_code: ExternalCode | None = None

    @property
    def receiving_agency(self) -> str:
        """Return `received_by` in the form of QĐ 20; a dossier code keeps the written form."""
        return canonical_agency_code(self.received_by)


class MoveDossier(StrictModel):
    """`reason` is published with the event; `note` stays with the dossier.

    `to` is a status, 1 to 10; any other number is refused with the statuses that may follow.
    `term_case` is given only where the move receives the dossier, and replaces the one of filing.
    """

    to: Annotated[int, Field(ge=0, le=99)]
    reason: Annotated[Reason, Strict(strict=False)] | None = None
    note: Note | None = None
    term_case: TermCase | None = None


class NoteProgress(StrictModel):
    step: StepCode
    note: Note | None = None


class PayFee(StrictModel):
    fee: FeeCode
    amount_vnd: AmountVnd
    reference: Reference
    method: PaymentMethod


class IssueResult(StrictModel):
    code: ResultCode
    number: Annotated[str, single_line(50), ONE_LINE]
    title: SingleLineText
    electronic: bool
    file_sha256: Sha256 | None = None
