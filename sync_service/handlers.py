from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import (
    AgencyChanged,
    DossierEvent,
    DossierFiled,
    DossierMoved,
    DossierProgressed,
    FeePaid,
    ProcedurePublished,
    ResultIssued,
)
from shared.messaging.inbox import EventHandler, Handlers
from sync_service.agencies.projections import project_agencies, project_procedures
from sync_service.indicators.use_cases import count_changes
from sync_service.national_view import projections


async def project_dossiers(session: AsyncSession, events: Sequence[DossierEvent]) -> None:
    await projections.project_dossiers(session, events, observers=(count_changes,))


_AGENCIES = EventHandler("sync_service", project_agencies)
_PROCEDURES = EventHandler("sync_service", project_procedures)
# A consumer of its own: it can be made anew from the retained events without the others.
_NATIONAL_VIEW = EventHandler("national_view", project_dossiers)

HANDLERS: Handlers = {
    AgencyChanged: [_AGENCIES],
    DossierFiled: [_NATIONAL_VIEW],
    DossierMoved: [_NATIONAL_VIEW],
    DossierProgressed: [_NATIONAL_VIEW],
    FeePaid: [_NATIONAL_VIEW],
    ResultIssued: [_NATIONAL_VIEW],
    ProcedurePublished: [_PROCEDURES],
}
