"""Due dates that rested on a calendar not yet announced, computed again when it is."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue.procedure import Procedure
from dossier_service.models import Dossier, DossierStep
from dossier_service.store import dossiers as store
from dossier_service.use_cases.telling import tell
from shared.deadlines import Wait, calendar_of, due_at, extended_by_all
from shared.events import DossierProgressed
from shared.events.codes import DossierStatus

BATCH_SIZE = 200
STEP = "calendar-announced"
_CLIENT = "dossier_service"
_RESUMED = (DossierStatus.RECEIVED, DossierStatus.PROCESSING)


async def recalculate_due_dates(session: AsyncSession, *, now: datetime) -> int:
    """Compute provisional due dates by the present calendar; return how many were looked at.

    A due date that moves leaves a step in the history and an event, as every change does. Dossiers
    that somebody is changing at this moment are left for the next run.
    """
    stale = await store.lock_stale_dossiers(session, limit=BATCH_SIZE)
    procedures = await store.read_procedures(session, stale)
    waits = waits_for_papers(await store.list_moves(session, stale))
    for dossier in stale:
        procedure = procedures[dossier.procedure, dossier.procedure_version]
        await _recalculate(session, dossier, procedure, waits.get(dossier.code, []), now=now)
    return len(stale)


async def _recalculate(
    session: AsyncSession,
    dossier: Dossier,
    procedure: Procedure,
    waits: Sequence[Wait],
    *,
    now: datetime,
) -> None:
    received_at = dossier.received_at
    assert received_at is not None, "only a received dossier has a due date"
    before = dossier.due_at, dossier.latest_at
    term = procedure.term(dossier.channel, dossier.term_case)
    dossier.due_at = extended_by_all(due_at(received_at, term), waits)
    if dossier.due_at is None:
        dossier.latest_at = extended_by_all(due_at(received_at, procedure.longest_term()), waits)
    dossier.due_calendar = calendar_of(received_at, dossier.due_at or dossier.latest_at)
    if (dossier.due_at, dossier.latest_at) == before:
        return
    at = dossier.begin_version(now)
    session.add(_step(dossier, at))
    await session.flush()
    await store.restate_due(session, dossier)
    tell(session, DossierProgressed, dossier, at, step=STEP)


def _step(dossier: Dossier, at: datetime) -> DossierStep:
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


def waits_for_papers(moves: Sequence[DossierStep]) -> dict[str, list[Wait]]:
    """Return the waits of each dossier, out of its moves in their order.

    A wait ends with the move that resumes the handling; what led elsewhere moved no due date.
    """
    asked: dict[str, datetime] = {}
    waits: dict[str, list[Wait]] = {}
    for move in moves:
        began = asked.pop(move.dossier, None)
        if began is not None and move.to_status in _RESUMED:
            waits.setdefault(move.dossier, []).append(Wait(began, move.at))
        if move.to_status is DossierStatus.SUPPLEMENT_REQUESTED:
            asked[move.dossier] = move.at
    return waits
