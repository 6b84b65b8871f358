"""The filters of the lists of dossiers and of the timeline of one."""

from pydantic import Field

from shared.codes.agency import AgencyCode
from shared.codes.enums import Channel, DossierStatus
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.strict_parsing import IsoDay
from shared.web.calls.rights import Limits
from shared.web.pagination import ListFilter
from sync_service.agencies.hierarchy import LEVEL


class NationalDossierFilter(ListFilter):
    """The query of a list; `received_to` is the last day, and days are those of Viet Nam."""

    agency: AgencyCode | None = Field(None, description="this agency and all below it")
    level: str | None = Field(None, pattern=LEVEL, description="level of the deciding agency")
    procedure: ProcedureCode | None = Field(
        None, description="a national code includes all its localised forms"
    )
    status: DossierStatus | None = None
    channel: Channel | None = None
    received_from: IsoDay | None = None
    received_to: IsoDay | None = None
    overdue: bool | None = Field(
        None,
        description="true: unfinished dossiers that are late; one that waits for papers is late if"
        " it was when they were requested. false: all others",
    )

    def is_covered_by(self, limits: Limits) -> bool:
        return self.agency is not None and limits.covers_agency(self.agency)


class TimelineFilter(ListFilter):
    """The query of the timeline of a dossier, which has no filter."""
