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
