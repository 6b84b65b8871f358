from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response

from dossier_service.agencies.dependencies import AgencyCacheDep
from dossier_service.catalogue.dependencies import ProcedureCacheDep
from dossier_service.dossiers.dependencies import FilingRulesDep, LimitedFiling
from dossier_service.dossiers.filters import DossierFilter
from dossier_service.dossiers.routes.responses import respond_with_dossier
from dossier_service.dossiers.schemas.responses import (
    DossierFound,
    DossierLine,
    DossierOut,
    StepOut,
    show_dossier,
)
from dossier_service.dossiers.use_cases import filing, queries
from shared.codes.dossier import DossierCode
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.calls.internal_headers import write_ledger_headers
from shared.web.dependencies import Now, Session
from shared.web.etag import set_etag
from shared.web.idempotency import Idempotent
from shared.web.pagination import Page, PageParametersQuery
from shared.web.problems import name_subject_on_problems

router = Router(prefix="/dossier/v1/dossiers", tags=["dossiers"])


@router.post("", response_model=DossierOut, status_code=HTTPStatus.CREATED)
async def file_dossier(
    *,
    body: LimitedFiling,
    caller: Caller,
    session: Session,
    idempotency: Idempotent,
    procedures: ProcedureCacheDep,
    agencies: AgencyCacheDep,
    rules: FilingRulesDep,
    now: Now,
) -> Response:
    """File a dossier.

    Record a dossier at the desk, online or by post (`channel`) and return it with its new code. An
    online dossier begins at status 1, any other at 2, where its term begins to run. `X-Purpose` is
    the procedure of the dossier itself (403 `purpose-of-another-procedure`), and the right must
    cover `received_by` or `helped_by` (403 `not-allowed`).
    """
    person = filing.hash_applicant(body, rules)
    with name_subject_on_problems(person):
        dossier, procedure = await filing.file_dossier(
            session,
            body,
            caller=caller,
            procedures=procedures,
            agencies=agencies,
            rules=rules,
            person=person,
            now=now,
        )
    answer = DossierOut.from_dossier(dossier, procedure)
    return respond_with_dossier(
        answer,
        idempotency,
        HTTPStatus.CREATED,
        person=dossier.person,
        path=f"{router.prefix}/{dossier.code}",
    )


@router.get("")
async def list_dossiers(
    *,
    filters: Annotated[DossierFilter, Query()],
    page: PageParametersQuery,
    caller: Caller,
    session: Session,
    now: Now,
) -> Page[DossierLine]:
    """List dossiers.

    Return the dossiers in which an agency of the right takes part, newest first. The rows hold no
    data of applicants.
    """
    rows, next_cursor = await queries.list_dossiers(session, filters, page, caller=caller, now=now)
    return Page(items=[DossierLine.from_dossier(row) for row in rows], next=next_cursor)


@router.get("/{code}", response_model_exclude_unset=True)
async def read_dossier(
    *,
    code: DossierCode,
    caller: Caller,
    session: Session,
    procedures: ProcedureCacheDep,
    response: Response,
) -> DossierFound:
    """Read a dossier.

    Return the dossier with its applicant, papers and notes, as far as the `fields` of the right
    name them. The `ETag` of the answer is needed to change it. A dossier outside the right is not
    found (404 `dossier-not-found`).
    """
    dossier, procedure = await queries.read_whole_dossier(
        session, code, caller=caller, procedures=procedures
    )
    answer = show_dossier(dossier, procedure, queries.list_shown_fields(dossier, caller.right))
    set_etag(response, dossier.version)
    response.headers.update(write_ledger_headers([dossier.person], answer.personal_fields))
    return answer


@router.get("/{code}/history")
async def list_steps(
    *, code: DossierCode, caller: Caller, session: Session, page: PageParametersQuery
) -> Page[StepOut]:
    """Read the history of a dossier.

    Return each change of the dossier, oldest first: filing, moves, progress, payments and results,
    with the acting client and officer. Notes are left out, because they may name a person.
    """
    rows, next_cursor = await queries.list_steps(session, code, page, caller=caller)
    return Page(items=[StepOut.from_step(row) for row in rows], next=next_cursor)
