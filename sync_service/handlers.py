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
from sync_service.agencies.projections import upsert_agencies, upsert_procedures
from sync_service.indicators.use_cases import count_changes
from sync_service.national_view import projections, use_cases


async def project_dossiers(session: AsyncSession, events: Sequence[DossierEvent]) -> None:
    await projections.project_dossiers(session, events, observers=(count_changes,))


async def rebuild_dossiers(session: AsyncSession, events: Sequence[DossierEvent]) -> int:
    """Apply retained events again; return how many were refused."""
    return await projections.rebuild_dossiers(session, events, observers=(count_changes,))


async def restore_dossiers(session: AsyncSession, after: str, limit: int) -> Sequence[str]:
    """Derive again all that follows from a batch of dossiers; return their codes."""
    return await use_cases.restore_dossiers(session, after, limit, observers=(count_changes,))


_AGENCIES = EventHandler("sync_service", upsert_agencies)
_PROCEDURES = EventHandler("sync_service", upsert_procedures)
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
