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
from shared.messaging.consumer import Handlers
from sync_service.agencies.projections import project_agencies, project_procedures
from sync_service.indicators.use_cases import count_changes
from sync_service.national_view import projections


async def project_dossiers(session: AsyncSession, events: Sequence[DossierEvent]) -> None:
    await projections.project_dossiers(session, events, observers=(count_changes,))


HANDLERS: Handlers = {
    AgencyChanged: [project_agencies],
    DossierFiled: [project_dossiers],
    DossierMoved: [project_dossiers],
    DossierProgressed: [project_dossiers],
    FeePaid: [project_dossiers],
    ResultIssued: [project_dossiers],
    ProcedurePublished: [project_procedures],
}
