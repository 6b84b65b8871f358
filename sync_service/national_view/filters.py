"""What a list of dossiers can be asked for."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import (
    ColumnElement,
    Date,
    SQLColumnExpression,
    and_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
)

from shared.codes.agency import AgencyCode
from shared.codes.enums import ENDED, Channel, DossierStatus
from shared.codes.procedure import ProcedureCode, national_code
from shared.codes.time import VIET_NAM
from shared.web.bodies.strict_parsing import IsoDay
from shared.web.calls.rights import Limits
from shared.web.pagination import MOST, Cursor, PageQuery, name_filtered
from sync_service.agencies.hierarchy import covers
from sync_service.agencies.models import Agency
from sync_service.national_view.derived_times import REQUEST
from sync_service.national_view.models import NationalDossier, Party, PendingParty

# What a list is read from.
Seen = type[NationalDossier | Party | PendingParty]

LEVEL = r"^[a-z_]{1,20}$"


def begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), VIET_NAM)


def in_plan(value: str | int | date) -> ColumnElement[Any]:
    """Written into the statement: a rare value has another plan than a frequent one."""
    return bindparam(None, value, literal_execute=True)


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
    limit: int = Field(50, ge=1, le=MOST, description="how many at most")
    after: Cursor | None = Field(None, description="`next` of the page before")

    @property
    def paging(self) -> PageQuery:
        """Part of the model, unlike `Paging`: it refuses parameters it does not know."""
        of_list = name_filtered("/sync/v1/dossiers", self)
        return PageQuery.of(self.limit, self.after, of_list=of_list)

    def covered_by(self, limits: Limits) -> bool:
        return self.agency is not None and covers(limits.agencies, self.agency)

    def bounds(self, opened_at: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
        """The part of the ordered list in which all that is asked for lies."""
        bounds = []
        if self.received_from:
            bounds.append(opened_at >= begin_of(self.received_from))
        if self.received_to:
            bounds.append(opened_at < begin_of(self.received_to + timedelta(days=1)))
        return bounds

    @property
    def parties(self) -> type[Party | PendingParty]:
        """Among which of them all lies that is asked for."""
        is_pending = self.status not in {None, DossierStatus.RETURNED} or self.overdue
        return PendingParty if is_pending else Party

    def lasting(self, of: Seen) -> list[ColumnElement[bool]]:
        """What no change of status touches: a party knows it of its dossier."""
        conditions: list[ColumnElement[bool]] = []
        if self.channel is not None:
            conditions.append(of.channel == in_plan(self.channel.value))
        if self.procedure is not None:
            conditions.append(of.national_procedure == in_plan(national_code(self.procedure)))
        if self.level is not None:
            at_level = select(Agency.code).where(Agency.level == self.level)
            conditions.append(of.deciding.in_(at_level))
        return conditions

    def passing(self, today: date) -> list[ColumnElement[bool]]:
        """What only the dossier itself tells."""
        dossier = NationalDossier
        conditions: list[ColumnElement[bool]] = []
        if self.received_from or self.received_to:
            conditions.append(dossier.received_at.is_not(None))
        if self.status is not None:
            conditions.append(dossier.status == in_plan(self.status.value))
            if self.status not in ENDED:
                conditions.append(dossier.ended_at.is_(None))
        # A national code means all its localised forms too.
        if self.procedure is not None and self.procedure != national_code(self.procedure):
            conditions.append(dossier.procedure == self.procedure)
        if self.overdue is not None:
            conditions.append(overdue(today) if self.overdue else ~overdue(today))
        return conditions


def overdue(today: date) -> ColumnElement[bool]:
    """Open and late as of a day: what the indicators count as `open_late`, see `tallies`.

    Never NULL: all others are open in time, have ended, have no due date or were not received.
    """
    dossier = NationalDossier
    due = func.coalesce(dossier.due_at, dossier.latest_at)
    late_at_request = or_(dossier.requests > 1, vn_date(dossier.requested_at) > vn_date(due))
    is_late = case((dossier.status == REQUEST.value, late_at_request), else_=due < begin_of(today))
    is_open = and_(dossier.ended_at.is_(None), dossier.received_at.is_not(None))
    return and_(is_open, func.coalesce(is_late & due.is_not(None), false()))


def vn_date(instant: SQLColumnExpression[Any]) -> ColumnElement[date]:
    return func.timezone(VIET_NAM.key, instant).cast(Date)


Wanted = Annotated[DossierFilter, Query()]
