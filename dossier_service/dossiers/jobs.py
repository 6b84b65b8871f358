"""Recalculate the due dates that rested on a calendar which is announced now."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import list_versions
from dossier_service.dossiers.models import Dossier, DossierStep
from dossier_service.dossiers.repository import dossiers as repository
from dossier_service.dossiers.use_cases.deadlines import set_due_dates
from dossier_service.dossiers.use_cases.history import publish_change
from shared.events import DossierProgressed
from shared.rules.deadlines import PaperWait, list_paper_waits

BATCH_SIZE = 200
STEP = "calendar-announced"
_CLIENT = "dossier_service"


async def recalculate_due_dates(session: AsyncSession, *, now: datetime) -> int:
    """Compute provisional due dates by the present calendar; return how many were looked at.

    A due date that moves leaves a step in the history and an event, as every change does. Dossiers
    that another transaction is changing are left for the next run.
    """
    stale = await repository.lock_stale_dossiers(session, limit=BATCH_SIZE)
    versions = {(dossier.procedure, dossier.procedure_version) for dossier in stale}
    procedures = await list_versions(session, versions)
    courses: dict[str, list[tuple[datetime, int]]] = {}
    for move in await repository.list_moves(session, stale):
        courses.setdefault(move.dossier, []).append((move.at, move.to_status))
    for dossier in stale:
        procedure = procedures[dossier.procedure, dossier.procedure_version]
        course = courses.get(dossier.code, [])
        waits = list_paper_waits(course, after=dossier.received_at)
        await _recalculate_due_date(session, dossier, procedure, waits, now=now)
    return len(stale)


async def recalculate_next_batch(session: AsyncSession, *, now: datetime) -> bool:
    """Recalculate a batch of provisional due dates; return whether it was full."""
    return await recalculate_due_dates(session, now=now) == BATCH_SIZE


async def _recalculate_due_date(
    session: AsyncSession,
    dossier: Dossier,
    procedure: Procedure,
    waits: Sequence[PaperWait],
    *,
    now: datetime,
) -> None:
    before = dossier.due_at, dossier.latest_at
    set_due_dates(dossier, procedure, waits)
    if (dossier.due_at, dossier.latest_at) == before:
        return
    at = dossier.begin_version(now)
    session.add(_make_calendar_step(dossier, at))
    await session.flush()
    await repository.update_listed_due_date(session, dossier)
    publish_change(session, DossierProgressed, dossier, at, step=STEP)


def _make_calendar_step(dossier: Dossier, at: datetime) -> DossierStep:
    return DossierStep(
        dossier=dossier.code,
        version=dossier.version,
        act="progressed",
        at=at,
        from_status=dossier.status,
        to_status=dossier.status,
        client=_CLIENT,
        step=STEP,
    )
