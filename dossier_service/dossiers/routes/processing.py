from http import HTTPStatus

from fastapi import Response

from dossier_service.catalogue.dependencies import ProcedureCacheDep
from dossier_service.dossiers.routes.responses import respond_with_dossier
from dossier_service.dossiers.schemas.requests import IssueResult, MoveDossier, NoteProgress, PayFee
from dossier_service.dossiers.schemas.responses import DossierOut
from dossier_service.dossiers.use_cases import payments, results, transitions
from shared.codes.dossier import DossierCode
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now, Session
from shared.web.etag import ExpectedVersion
from shared.web.idempotency import Idempotent

router = Router(prefix="/dossier/v1/dossiers/{code}", tags=["handling"])


@router.post("/transitions", response_model=DossierOut)
async def move_dossier(
    *,
    code: DossierCode,
    body: MoveDossier,
    caller: Caller,
    session: Session,
    expected_version: ExpectedVersion,
    idempotency: Idempotent,
    procedures: ProcedureCacheDep,
    now: Now,
) -> Response:
    """Move a dossier to another status.

    Change the status to one of `permitted` (409 `transition-refused`). A recall from 9 to 4 needs a
    `reason` (422 `reason-missing`). Only the responsible agency moves a dossier, and only the
    deciding one to 9 (403 `not-responsible`). An open fee holds 4, 9 or 10 back (409 `fee-open`).
    """
    dossier, procedure = await transitions.move_dossier(
        session,
        code,
        body,
        caller=caller,
        expected_version=expected_version,
        procedures=procedures,
        now=now,
    )
    answer = DossierOut.from_dossier(dossier, procedure)
    return respond_with_dossier(answer, idempotency, HTTPStatus.OK, person=dossier.person)


@router.post("/progress", response_model=DossierOut, status_code=HTTPStatus.CREATED)
async def note_progress(
    *,
    code: DossierCode,
    body: NoteProgress,
    caller: Caller,
    session: Session,
    expected_version: ExpectedVersion,
    idempotency: Idempotent,
    procedures: ProcedureCacheDep,
    now: Now,
) -> Response:
    """Record a step of processing.

    Record the desk or phase that a dossier has reached, while its status stays the same. The code
    in `step` is published in the national view; never send a name. Only the responsible agency does
    it (403 `not-responsible`).
    """
    dossier, procedure = await transitions.note_progress(
        session,
        code,
        body,
        caller=caller,
        expected_version=expected_version,
        procedures=procedures,
        now=now,
    )
    answer = DossierOut.from_dossier(dossier, procedure)
    return respond_with_dossier(answer, idempotency, HTTPStatus.CREATED, person=dossier.person)


@router.post("/payments", response_model=DossierOut, status_code=HTTPStatus.CREATED)
async def pay_fee(
    *,
    code: DossierCode,
    body: PayFee,
    caller: Caller,
    session: Session,
    expected_version: ExpectedVersion,
    idempotency: Idempotent,
    procedures: ProcedureCacheDep,
    now: Now,
) -> Response:
    """Record the payment of a fee.

    Record that one fee of the dossier was paid by its exact amount (422 `amount-wrong`), with a
    `reference` that is unique in the dossier (409 `payment-reference-used`). Each agency of the
    dossier may do it until the dossier is refused or returned. The same payment sent again has no
    effect.
    """
    dossier, procedure = await payments.pay_fee(
        session,
        code,
        body,
        caller=caller,
        expected_version=expected_version,
        procedures=procedures,
        now=now,
    )
    answer = DossierOut.from_dossier(dossier, procedure)
    return respond_with_dossier(answer, idempotency, HTTPStatus.CREATED, person=dossier.person)


@router.post("/results", response_model=DossierOut, status_code=HTTPStatus.CREATED)
async def issue_result(
    *,
    code: DossierCode,
    body: IssueResult,
    caller: Caller,
    session: Session,
    expected_version: ExpectedVersion,
    idempotency: Idempotent,
    procedures: ProcedureCacheDep,
    now: Now,
) -> Response:
    """Add a result to a dossier.

    Record a result of the procedure, which must be there before the move to status 9 (409
    `result-missing`). Only the deciding agency does it, at a status that 9 may follow (409
    `result-refused`).
    """
    dossier, procedure = await results.issue_result(
        session,
        code,
        body,
        caller=caller,
        expected_version=expected_version,
        procedures=procedures,
        now=now,
    )
    answer = DossierOut.from_dossier(dossier, procedure)
    return respond_with_dossier(answer, idempotency, HTTPStatus.CREATED, person=dossier.person)
