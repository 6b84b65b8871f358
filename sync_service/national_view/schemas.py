"""The response bodies of the national view."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Self

from pydantic import BaseModel

from shared.codes.agency import canonical_agency_code
from shared.codes.enums import Channel, DossierStatus
from sync_service.national_view.handling import is_overdue
from sync_service.national_view.models import NationalDossier, TimelineEntry
from sync_service.schemas import AgencyName


class NationalDossierOut(BaseModel):
    """A dossier in the national view; `ended_at` is the end that the indicators use."""

    code: str
    source: str
    version: int
    source_time: datetime
    procedure: str
    channel: Channel
    channel_name: str
    status: DossierStatus
    status_name: str
    helped_by: AgencyName | None
    received_by: AgencyName
    decided_by: AgencyName
    filed_at: datetime
    received_at: datetime | None
    due_at: datetime | None
    finished_at: datetime | None
    ended_at: datetime | None
    overdue: bool

    @classmethod
    def from_row(cls, row: NationalDossier, names: Mapping[str, str | None], today: date) -> Self:
        """Return the dossier as of a day; `names` are the names of agencies by code."""
        channel, status = Channel(row.channel), DossierStatus(row.status)

        def agency(code: str) -> AgencyName:
            return AgencyName(code=code, name=names.get(canonical_agency_code(code)))

        return cls(
            code=row.code,
            source=row.source,
            version=row.version,
            source_time=row.source_time,
            procedure=row.procedure,
            channel=channel,
            channel_name=channel.label,
            status=status,
            status_name=status.label,
            helped_by=agency(row.helped_by) if row.helped_by else None,
            received_by=agency(row.received_by),
            decided_by=agency(row.decided_by),
            filed_at=row.filed_at,
            received_at=row.received_at,
            due_at=row.due_at,
            finished_at=row.finished_at,
            ended_at=row.ended_at,
            overdue=is_overdue(row, today),
        )


class TimelineEntryOut(BaseModel):
    """`detail` is the step, or the code of the reason, the fee or the result."""

    at: datetime
    kind: str
    status: DossierStatus
    status_name: str
    detail: str | None
    source: str

    @classmethod
    def from_entry(cls, entry: TimelineEntry) -> Self:
        status = DossierStatus(entry.status)
        return cls(
            at=entry.at,
            kind=entry.kind,
            status=status,
            status_name=status.label,
            detail=entry.detail or None,
            source=entry.source,
        )


class Timeline(BaseModel):
    """A page of a timeline; `next` is the cursor of the following page, null on the last one."""

    code: str
    entries: list[TimelineEntryOut]
    next: str | None
