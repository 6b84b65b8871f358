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
    """Push dossiers of your own system.

    Take up to 1,000 dossiers as they are in the caller's system, with one result for each row in
    the same order. The call is answered 200 also where rows are refused: read each `outcome` and
    `reason`. Rows may arrive in any order and may be repeated.
    """
    return await use_cases.push_dossiers(
        session, body, caller=caller, idempotency=idempotency, now=now
    )


@router.post("/progress", dependencies=[PushSlotDep])
async def push_progress(
    body: ProgressPush, session: Session, caller: Caller, idempotency: Idempotent, now: Now
) -> PushResults:
    """Push progress of your own dossiers.

    Take up to 1,000 rows that state a new status of a dossier pushed before, with one result for
    each row in the same order. A row of an unknown dossier is held for 30 days, until that dossier
    is pushed.
    """
    return await use_cases.push_progress(
        session, body, caller=caller, idempotency=idempotency, now=now
    )
