"""The response bodies of dossiers.

Data of applicants, and free text that may hold some, stands in `DossierFound` alone, as far as the
right names the fields.
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from dossier_service.catalogue.procedure import Procedure
from dossier_service.dossiers.models import Dossier, DossierApplicant, DossierStep
from dossier_service.schemas import Instant
from shared.codes.enums import Channel, DossierStatus
from shared.web.bodies.response_model import ResponseModel


class ProcedureName(ResponseModel):
    code: str
    name: str


class FeeOut(ResponseModel):
    code: str
    name: str
    amount_vnd: int
    when: Literal["before", "after"]
    kind: Literal["charge", "levy"]
    paid_at: Instant | None
    method: str | None
    reference: str | None


class ResultOut(ResponseModel):
    """A result without its number and title, which may name a person."""

    code: str
    electronic: bool
    issued_at: Instant
    recalled_at: Instant | None


class ResultFound(ResultOut):
    """A result with the fields that the right names; the others are left out of the answer."""

    number: str | None = None
    title: str | None = None
    file_sha256: str | None = None


class _StateFields(ResponseModel):
    code: str
    version: int
    channel: Channel
    status: DossierStatus
    status_name: str
    helped_by: str | None
    received_by: str
    decided_by: str
    responsible_agency: str
    filed_at: Instant
    received_at: Instant | None
    due_at: Instant | None
    finished_at: Instant | None
    overdue_from: Annotated[
        date | None,
        Field(
            description="the day from which the dossier counts as late, unless it changes before;"
            " null where it has ended, has no due date, or waits for papers that were requested in"
            " time"
        ),
    ]


def _read_state_fields(dossier: Dossier) -> dict[str, Any]:
    members = {
        name: getattr(dossier, name) for name in _StateFields.model_fields if name in _STORED_FIELDS
    }
    return members | {"status_name": dossier.status.label}


_STORED_FIELDS = _StateFields.model_fields.keys() - {"status_name"}


class DossierLine(_StateFields):
    """A row of a list, without data of the applicant."""

    procedure: str

    @classmethod
    def from_dossier(cls, dossier: Dossier) -> Self:
        return cls(**_read_state_fields(dossier), procedure=dossier.procedure)


class DossierOut(_StateFields):
    """The answer to every change. `permitted` lists the next statuses; open fees may block them."""

    procedure: ProcedureName
    procedure_version: int
    permitted: list[DossierStatus]
    external_code: str | None
    reception_due_at: Instant | None
    term_case: Annotated[
        str | None,
        Field(
            description="the case whose term the due date follows; null: no case was named, and"
            " the due date follows the longest term of the channel"
        ),
    ]
    # the due date rests on a year whose days off are not announced, or on a day not confirmed
    due_provisional: bool
    due_before_supplement: Instant | None
    reason: str | None
    fees: list[FeeOut]
    results: Sequence[ResultOut]

    @classmethod
    def from_dossier(cls, dossier: Dossier, procedure: Procedure, **more: Any) -> Self:
        members = _read_state_fields(dossier) | {
            "procedure": ProcedureName.model_validate(procedure),
            "procedure_version": dossier.procedure_version,
            "permitted": sorted(dossier.permitted_statuses),
            "external_code": dossier.external_code,
            "reception_due_at": dossier.reception_due_at,
            "term_case": dossier.term_case,
            "due_provisional": dossier.due_provisional,
            "due_before_supplement": dossier.due_before_supplement,
            "reason": dossier.reason,
            "fees": [FeeOut.model_validate(fee) for fee in dossier.fees],
            "results": [ResultOut.model_validate(result) for result in dossier.results],
        }
        return cls(**members | more)


class DocumentOut(ResponseModel):
    paper: str
    name: str
    kind: str


class ApplicantOut(ResponseModel):
    """Only the fields that the right allows are set; the others are left out of the answer."""

    kind: int | None = None
    name: str | None = None
    personal_number: str | None = None
    organisation_number: str | None = None
    birth_date: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None


class DossierFound(DossierOut):
    """A dossier with its applicant, papers and notes, as far as the right names these fields."""

    applicant: ApplicantOut
    results: Sequence[ResultFound]
    documents: list[DocumentOut] | None = None
    summary: str | None = None
    note: str | None = None

    @property
    def personal_fields(self) -> list[str]:
        """Return the names of the personal fields in this answer, for the record of the access."""
        beside = [name for name in ("summary", "note", "documents") if getattr(self, name)]
        results = ["results"] if any(result.title for result in self.results) else []
        return [*self.applicant.model_dump(exclude_none=True), *beside, *results]


def make_shown_applicant(
    applicant: DossierApplicant, fields: frozenset[str] | None
) -> ApplicantOut:
    members = {
        name: getattr(applicant, name)
        for name in ApplicantOut.model_fields
        if fields is None or name in fields
    }
    return ApplicantOut(**members)


def show_dossier(
    dossier: Dossier, procedure: Procedure, fields: frozenset[str] | None
) -> DossierFound:
    """Return the dossier as a right to `fields` shows it; None means all fields."""

    def is_allowed(name: str) -> bool:
        return fields is None or name in fields

    more: dict[str, Any] = {
        name: getattr(dossier, name) for name in ("summary", "note") if is_allowed(name)
    }
    if is_allowed("documents"):
        more["documents"] = [DocumentOut.model_validate(row) for row in dossier.documents]
    shape = ResultFound if is_allowed("results") else ResultOut
    results = [shape.model_validate(row).model_dump() for row in dossier.results]
    applicant = make_shown_applicant(dossier.applicant, fields)
    return DossierFound.from_dossier(
        dossier, procedure, applicant=applicant, results=results, **more
    )


class StepOut(ResponseModel):
    """A row of the history, without the notes of officers, which may name a person."""

    version: int
    act: str
    at: Instant
    from_status: DossierStatus | None
    to_status: DossierStatus
    client: str
    officer: str | None
    step: str | None
    reason: str | None

    @classmethod
    def from_step(cls, step: DossierStep) -> Self:
        return cls.model_validate(step)
