"""The bodies of pushes, their rows, and the result of each row."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, LiteralString, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SkipValidation,
    Strict,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.codes.agency import WrittenAgencyCode
from shared.codes.dossier import DossierCode
from shared.codes.enums import ENDED, Channel, DossierStatus
from shared.codes.persons.personal_numbers import NoPersonalNumber
from shared.codes.procedure import WrittenProcedureCode
from shared.codes.step import STEP_PATTERN
from shared.rules.deadlines import Term
from shared.web.bodies.strict_parsing import IsoInstant, StrictInteger, StrictModel
from sync_service.intake.batches import make_progress_entry
from sync_service.intake.row_rules import AFTER_RECEPTION, RowOutcome
from sync_service.national_view.state import DossierState, TimelineRow, digest_content

MAX_ROWS = 1_000

OWN_RULES: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "received_at_missing": "a dossier of this status was received: give received_at",
        "finished_but_open": "a dossier of this status is not finished: leave out finished_at",
    }
)

# The same rules as in `_agrees_with_itself`, for the published schema.
_RULES_OF_STATUS: Final[Mapping[str, JsonValue]] = MappingProxyType(
    {
        "allOf": [
            {
                "if": {"properties": {"status": {"enum": [*sorted(map(int, AFTER_RECEPTION))]}}},
                "then": {
                    "required": ["received_at"],
                    "properties": {"received_at": {"type": "string"}},
                },
            },
            {
                "if": {
                    "properties": {
                        "status": {"enum": [*sorted(map(int, set(DossierStatus) - ENDED))]}
                    }
                },
                "then": {"properties": {"finished_at": {"type": "null"}}},
            },
        ]
    }
)

# The form is that of our own dossiers; a row without a step may have an empty text.
Step = Annotated[
    str,
    Field(pattern=rf"^(?:{STEP_PATTERN})?$", examples=["desk-3"]),
    NoPersonalNumber,
]


class PushedRow(StrictModel):
    """The members of every pushed row."""

    model_config = ConfigDict(frozen=True)

    code: DossierCode
    status: Annotated[DossierStatus, Strict(strict=False), StrictInteger]
    source_time: IsoInstant = Field(description="when the sending system wrote this state")

    @property
    def instants(self) -> Mapping[str, datetime | None]:
        return {"source_time": self.source_time}


class DossierRow(PushedRow):
    """A dossier as it now is in the sending system.

    `title` is accepted for existing clients and not stored: titles name people, and the national
    view holds no personal data. `version` orders rows of the same `source_time`.
    """

    model_config = ConfigDict(json_schema_extra=dict(_RULES_OF_STATUS))

    procedure: WrittenProcedureCode
    channel: Annotated[Channel, Strict(strict=False), StrictInteger]
    version: int = Field(0, ge=0, le=2**62)
    helped_by: WrittenAgencyCode | None = None
    received_by: WrittenAgencyCode
    decided_by: WrittenAgencyCode
    filed_at: IsoInstant
    received_at: IsoInstant | None = None
    due_at: IsoInstant | None = None
    finished_at: IsoInstant | None = None
    title: Annotated[str, StringConstraints(max_length=1_000)] | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        broken = None
        if self.status in AFTER_RECEPTION and self.received_at is None:
            broken = "received_at_missing"
        elif self.finished_at and self.status not in ENDED:
            broken = "finished_but_open"
        if broken:
            raise PydanticCustomError(broken, OWN_RULES[broken])
        return self

    @property
    def instants(self) -> Mapping[str, datetime | None]:
        names = "source_time", "filed_at", "received_at", "due_at", "finished_at"
        return {name: getattr(self, name) for name in names}

    def build_state(self, source: str, longest_term: Term | None) -> DossierState:
        """Return the state of the dossier that this row alone describes.

        Without a due date it is judged by the longest term of its procedure (QĐ 766, 2.1).
        """
        state = DossierState(
            code=self.code,
            source=source,
            version=1,
            source_time=self.source_time,
            source_version=self.version,
            procedure=self.procedure,
            channel=self.channel,
            status=self.status,
            helped_by=self.helped_by,
            received_by=self.received_by,
            decided_by=self.decided_by,
            filed_at=self.filed_at,
            received_at=self.received_at,
            due_at=self.due_at,
            latest_at=None,
            finished_at=self.finished_at,
            facts_time=self.source_time,
            facts_version=self.version,
            facts_digest=self._digest_facts(),
        )
        return state.with_term(longest_term)

    def _digest_facts(self) -> int:
        agencies = self.helped_by, self.received_by, self.decided_by
        instants = self.filed_at, self.received_at, self.due_at, self.finished_at
        return digest_content((self.procedure, self.channel, self.status, *agencies, *instants))


class ProgressRow(PushedRow):
    """A change of a dossier after it was pushed; `step` names a desk or a phase as a slug."""

    step: Step = ""

    def build_entry(self, source: str) -> TimelineRow:
        """Return the timeline row for this progress row."""
        return make_progress_entry(self.code, self.source_time, self.status, self.step, source)


class DossierPush(StrictModel):
    """Each row is validated on its own; the faults of a row are in its own result."""

    rows: list[SkipValidation[DossierRow]] = Field(min_length=1, max_length=MAX_ROWS)


class ProgressPush(StrictModel):
    """Each row is validated on its own, as those of dossiers."""

    rows: list[SkipValidation[ProgressRow]] = Field(min_length=1, max_length=MAX_ROWS)


class RowResult(BaseModel):
    """`reason` and `detail` are set for a refused row; a row with `warnings` is taken."""

    code: str | None
    outcome: RowOutcome
    reason: str | None = None
    detail: str | None = None
    warnings: list[str] = []


class PushResults(BaseModel):
    """One result for each row, in the order of the rows."""

    results: list[RowResult]
