"""The entry of a procedure in the catalogue. It is immutable: a change is a new version."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from shared.codes.agency import AgencyCode
from shared.codes.enums import Channel
from shared.codes.procedure import ProcedureCode
from shared.rules.deadlines import Term, Unit

# KQ.G15.000031, or the older 000.00.00.G09-KQ002269
RESULT_CODE = (
    r"^(KQ\.[A-Z][0-9]{2}\.[0-9]{6}|[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}-KQ[0-9]{6})$"
)
# Codes of our own, until the owner of the procedure publishes one.
PROVISIONAL_PREFIX = "3.9"
_ONE_DAY = {Unit.HOUR: 8, Unit.WORKING_DAY: 1, Unit.DAY: 1}
# Rough lengths in working hours, exact enough to compare two terms.
_WORKING_HOURS = {Unit.HOUR: 1.0, Unit.WORKING_DAY: 8.0, Unit.DAY: 40 / 7, Unit.MONTH: 174.0}

ResultCode = Annotated[str, Field(pattern=RESULT_CODE, examples=["KQ.G15.000021"])]
ServiceCode = Annotated[str, StringConstraints(min_length=1, max_length=20)]
SourceAddress = Annotated[
    str, Field(pattern=r"^(https?://\S{1,1000})?$", description="an http address, or empty")
]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
# A code that an officer names: it begins with a letter, so that no personal number can be one.
CaseCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,39}$"), Field(examples=["TH01"])
]


class _CatalogueModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProcedureLevel(StrEnum):
    """Cấp thực hiện: bộ, tỉnh, xã, cơ quan khác."""

    MINISTRY = "ministry"
    PROVINCE = "province"
    COMMUNE = "commune"
    OTHER = "other"


class Replacement(_CatalogueModel):
    """State data that replaces a paper, so that the applicant need not submit it again."""

    by: Literal["register_query", "digitised_paper", "earlier_result"]
    # the database to query, the digitised paper or the result code
    code: Text
    holder: AgencyCode | None = None


class Paper(_CatalogueModel):
    """A required paper; a count is None where the source does not state it readably."""

    code: Text
    name: Text
    originals: NonNegativeInt | None = 0
    copies: NonNegativeInt | None = 0
    # the case in which it is required; None: always
    case: Text | None = None
    replaced_by: tuple[Replacement, ...] = ()


class Fee(_CatalogueModel):
    """A fee in đồng.

    While unpaid, a fee `before` blocks the processing, and any fee blocks the return of the result.
    """

    code: Text
    name: Text
    amount_vnd: NonNegativeInt
    when: Literal["before", "after"]
    # phí (for a service) or lệ phí (set by law)
    kind: Literal["charge", "levy"]
    channel: Channel | None = None
    # the case in which it is due, decided by the officer; None: always
    case: Text | None = None


class Result(_CatalogueModel):
    """A result as published; `code` may lack the form of a result code."""

    code: Text | None = None
    name: Text


class ProcedureChannel(_CatalogueModel):
    """A way to file. A channel with several terms has one entry for each of its cases."""

    channel: Channel
    duration: PositiveInt | None = None
    unit: Unit | None = None
    same_day: bool = False
    text: str = ""
    # the case in which the term counts, as published; None: always
    case: Text | None = None
    # the code by which an officer names the case
    case_code: CaseCode | None = None

    @model_validator(mode="after")
    def _require_case_with_code(self) -> Self:
        if (self.case is None) != (self.case_code is None):
            raise ValueError("a case needs its case_code, and a case_code its case")
        return self

    @model_validator(mode="after")
    def _require_whole_term(self) -> Self:
        if (self.duration is None) != (self.unit is None):
            raise ValueError("a duration needs its unit, and a unit its duration")
        if self.same_day and (self.unit is None or self.duration != _ONE_DAY.get(self.unit)):
            raise ValueError("a same-day procedure lasts one working day or eight hours")
        return self

    @property
    def term(self) -> Term | None:
        if self.duration is None or self.unit is None:
            return None
        return Term(self.duration, self.unit, same_day=self.same_day)


class Procedure(_CatalogueModel):
    """A TTHC as its owner publishes it; `owner` is None where the owner has no published code."""

    code: ProcedureCode
    code_confirmed: bool = True
    name: Text
    owner: AgencyCode | None
    levels: tuple[ProcedureLevel, ...] = Field(min_length=1)
    sector: Text
    decision: Text | None = None
    subjects: tuple[Text, ...] = ()
    competent: str = ""
    cooperating: str = ""
    # loại TTHC: the level of government that may set it out in detail
    kind: str = ""
    channels: tuple[ProcedureChannel, ...] = ()
    papers: tuple[Paper, ...] = ()
    # the published text of the papers where the import could not separate them
    papers_text: str = ""
    result_codes: tuple[ResultCode, ...] = ()
    results: tuple[Result, ...] = ()
    conditions_text: str = ""
    requires_result: bool = True
    fees: tuple[Fee, ...] = ()
    essential: bool = False
    # MaDVC, which payments and look-ups name
    service_codes: tuple[ServiceCode, ...] = ()
    # the running number under which the national portal took the service in
    service_number: PositiveInt | None = None
    # the page that the entry was published on
    source: SourceAddress = ""
    # the kinds of fault that the import found in the published text (`TextFault`)
    faults: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _require_consistent_code(self) -> Self:
        if self.code.startswith(PROVISIONAL_PREFIX) == self.code_confirmed:
            raise ValueError(
                f"codes {PROVISIONAL_PREFIX}xxxxx are provisional: set code_confirmed to false for "
                "them, and only for them"
            )
        return self

    @model_validator(mode="after")
    def _require_distinct_parts(self) -> Self:
        for name, codes in (
            ("fees", [fee.code for fee in self.fees]),
            ("papers", [paper.code for paper in self.papers]),
            ("result_codes", list(self.result_codes)),
            ("service_codes", list(self.service_codes)),
            (
                "channels",
                [
                    f"{entry.channel.name} {entry.case_code}"
                    for entry in self.channels
                    if entry.case_code
                ],
            ),
        ):
            if twice := {code for code in codes if codes.count(code) > 1}:
                raise ValueError(f"{name}: the same code twice: {sorted(twice)}")
        return self

    def accepts_channel(self, channel: Channel) -> bool:
        return any(entry.channel is channel for entry in self.channels)

    def list_terms(
        self, channel: Channel | None = None, case_code: str | None = None
    ) -> list[Term]:
        """Return the published terms of the channel in the case; None narrows nothing."""
        return [
            entry.term
            for entry in self.channels
            if channel in (None, entry.channel)
            and case_code in (None, entry.case_code)
            and entry.term is not None
        ]

    def term(self, channel: Channel, case_code: str | None = None) -> Term | None:
        """Return the longest of `terms` as it usually is, without regard to its start."""
        return _find_longest_term(self.list_terms(channel, case_code))

    def list_term_cases(self, channel: Channel) -> dict[str, str]:
        """Return the cases in which the terms of a channel differ, by their codes."""
        return {
            entry.case_code: entry.case
            for entry in self.channels
            if entry.channel is channel and entry.case_code and entry.case
        }

    def find_longest_term(self) -> Term | None:
        """Return the longest of all as it usually is, for readers that take one term alone."""
        return _find_longest_term(self.list_terms())

    def list_fees_due(
        self, channel: Channel, confirmed: frozenset[str] = frozenset()
    ) -> tuple[Fee, ...]:
        """Return the fees of a dossier of this channel.

        A fee that is due in one case only is among them when its code is in `confirmed`: the
        officer at the reception has confirmed the case.
        """
        return tuple(
            fee
            for fee in self.fees
            if fee.channel in (None, channel) and (fee.case is None or fee.code in confirmed)
        )


def _find_longest_term(terms: Iterable[Term]) -> Term | None:
    return max(terms, key=lambda term: term.duration * _WORKING_HOURS[term.unit], default=None)


@dataclass(frozen=True, slots=True)
class PublishedProcedure:
    version: int
    valid_from: datetime
    procedure: Procedure
