from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now, Session
from shared.web.idempotency import Idempotent
from sync_service.intake import use_cases
from sync_service.intake.dependencies import PushSlotDep
from sync_service.intake.schemas import DossierPush, ProgressPush, PushResults

router = Router(prefix="/sync/v1", tags=["national view"])


@router.post("/dossiers", dependencies=[PushSlotDep])
async def push_dossiers(
    body: DossierPush, session: Session, caller: Caller, idempotency: Idempotent, now: Now
) -> PushResults:
    """Take up to 1,000 dossiers as they are in the caller's system, with a result for each row."""
    return await use_cases.push_dossiers(
        session, body, caller=caller, idempotency=idempotency, now=now
    )


@router.post("/progress", dependencies=[PushSlotDep])
async def push_progress(
    body: ProgressPush, session: Session, caller: Caller, idempotency: Idempotent, now: Now
) -> PushResults:
    """Take up to 1,000 progress rows of dossiers; a row of an unknown dossier is held."""
    return await use_cases.push_progress(
        session, body, caller=caller, idempotency=idempotency, now=now
    )
