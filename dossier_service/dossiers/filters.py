"""The filters of the lists of dossiers and of the steps of one."""

from pydantic import Field

from shared.codes.agency import AgencyCode
from shared.codes.enums import Channel, DossierStatus
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.strict_parsing import IsoDay
from shared.web.pagination import ListFilter


class DossierFilter(ListFilter):
    """The query of a list; None narrows nothing, and days are those of Viet Nam.

    `due_before` and `overdue` select unfinished dossiers only. `overdue` selects the dossiers that
    the indicators count as open and late; False selects all others.
    """

    status: DossierStatus | None = None
    procedure: ProcedureCode | None = Field(
        None, description="a national code includes all its localised forms"
    )
    agency: AgencyCode | None = Field(
        None, description="this agency, or one below it, takes part in the dossier"
    )
    channel: Channel | None = None
    filed_from: IsoDay | None = None
    filed_to: IsoDay | None = Field(None, description="the last day of filing that is listed")
    due_before: IsoDay | None = Field(
        None, description="lists unfinished dossiers that are due before this day"
    )
    overdue: bool | None = Field(
        None,
        description="true: unfinished dossiers that are late; one that waits for papers is late if"
        " it was when they were requested. false: all others",
    )


class StepFilter(ListFilter):
    """The query of the history of a dossier, which has no filter."""
