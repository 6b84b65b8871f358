from http import HTTPStatus

from fastapi import Response

from dossier_service.agencies.dependencies import Register
from dossier_service.catalogue.dependencies import Shelf
from dossier_service.dossiers.dependencies import InTurn, ListFilters, Rules
from dossier_service.dossiers.routes.responses import answered, name_subject
from dossier_service.dossiers.schemas.responses import (
    DossierFound,
    DossierLine,
    DossierOut,
    StepOut,
    found,
)
from dossier_service.dossiers.use_cases import filing
from dossier_service.dossiers.use_cases import queries as looking
from dossier_service.dossiers.use_cases.changing import version_kept
from shared.codes.dossier import DossierCode
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now
from shared.web.etag import set_etag
from shared.web.idempotency import OnceOnly
from shared.web.pagination import Page, Paging
from shared.web.problems import naming_subject

router = Router(prefix="/dossier/v1/dossiers", tags=["dossiers"])


@router.post("", response_model=DossierOut, status_code=HTTPStatus.CREATED)
async def file_dossier(
    *,
    body: InTurn,
    caller: Caller,
    session: Session,
    once: OnceOnly,
    shelf: Shelf,
    register: Register,
    rules: Rules,
    now: Now,
) -> Response:
    with naming_subject(filing.hash_applicant(body, rules)):
        dossier, procedure = await filing.file_dossier(
            session, body, caller=caller, shelf=shelf, register=register, rules=rules, now=now
        )
    answer = DossierOut.of(dossier, procedure)
    return answered(answer, once, HTTPStatus.CREATED, person=dossier.person)


@router.get("")
async def list_dossiers(
    *,
    filters: ListFilters,
    caller: Caller,
    session: Session,
    page: Paging,
    now: Now,
) -> Page[DossierLine]:
    rows, following = await looking.list_dossiers(session, page, filters, caller=caller, now=now)
    return Page(items=[DossierLine.of(row) for row in rows], next=following)


@router.get("/{code}", response_model_exclude_unset=True)
async def read_dossier(
    *, code: DossierCode, caller: Caller, session: Session, shelf: Shelf, response: Response
) -> DossierFound:
    dossier = await looking.read_whole_dossier(session, code, caller)
    kept = await version_kept(session, shelf, dossier)
    answer = found(dossier, kept.procedure, looking.shown_fields(dossier, caller.right))
    set_etag(response, dossier.version)
    name_subject(response, dossier.person, answer.personal_fields)
    return answer


@router.get("/{code}/history")
async def list_steps(
    *, code: DossierCode, caller: Caller, session: Session, page: Paging
) -> Page[StepOut]:
    rows, following = await looking.list_steps(session, code, page, caller=caller)
    return Page(items=[StepOut.of(row) for row in rows], next=following)
