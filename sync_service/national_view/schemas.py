"""What the national view answers."""

from datetime import datetime

from pydantic import BaseModel

from shared.codes.enums import Channel, DossierStatus
from sync_service.agencies.schemas import AgencyOut


class NationalDossierOut(BaseModel):
    """Times are instants; `ended_at` is the end that the indicators count with."""

    code: str
    source: str
    version: int
    source_time: datetime
    procedure: str
    channel: Channel
    channel_name: str
    status: DossierStatus
    status_name: str
    helped_by: AgencyOut | None
    received_by: AgencyOut
    decided_by: AgencyOut
    filed_at: datetime
    received_at: datetime | None
    due_at: datetime | None
    finished_at: datetime | None
    ended_at: datetime | None
    overdue: bool


class TimelineEntryOut(BaseModel):
    """`detail` is the step, or the code of the reason, fee or result."""

    at: datetime
    kind: str
    status: DossierStatus
    status_name: str
    detail: str | None
    source: str


class Timeline(BaseModel):
    """`next` is the cursor of the following page; None on the last one."""

    code: str
    entries: list[TimelineEntryOut]
    next: str | None
