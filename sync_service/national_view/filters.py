"""What a list of dossiers can be asked for."""

from pydantic import BaseModel, ConfigDict, Field

from shared.codes.agency import AgencyCode
from shared.codes.enums import Channel, DossierStatus
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.strict_parsing import IsoDay
from shared.web.calls.rights import Limits
from shared.web.pagination import MAX_PAGE_ITEMS, Cursor, PageQuery, name_filtered_list
from sync_service.agencies.hierarchy import LEVEL, covers


class DossierFilter(BaseModel):
    """`agency` covers all below it; `received_to` is the last day; days are those of Viet Nam."""

    model_config = ConfigDict(extra="forbid")

    agency: AgencyCode | None = Field(None, description="with all below it")
    level: str | None = Field(None, pattern=LEVEL, description="of the deciding agency")
    procedure: ProcedureCode | None = None
    status: DossierStatus | None = None
    channel: Channel | None = None
    received_from: IsoDay | None = None
    received_to: IsoDay | None = None
    overdue: bool | None = Field(
        None, description="open and late; while it waits for papers, late when they were requested"
    )
    limit: int = Field(50, ge=1, le=MAX_PAGE_ITEMS, description="how many at most")
    after: Cursor | None = Field(None, description="`next` of the page before")

    @property
    def paging(self) -> PageQuery:
        """Part of the model, unlike `Paging`: it refuses parameters it does not know."""
        of_list = name_filtered_list("/sync/v1/dossiers", self)
        return PageQuery.of(self.limit, self.after, of_list=of_list)

    def covered_by(self, limits: Limits) -> bool:
        return self.agency is not None and covers(limits.agencies, self.agency)
