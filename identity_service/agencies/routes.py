from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query, Response

from identity_service.agencies import use_cases
from identity_service.agencies.dependencies import OperatorApprovalsDep
from identity_service.agencies.schemas import (
    AgencyFilter,
    AgencyIn,
    AgencyOut,
    AgencyProposalOut,
    RegistrationOut,
)
from identity_service.schemas import PROPOSED_DESCRIPTION
from shared.codes.agency import AgencyCode
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now, Session
from shared.web.etag import ExpectedVersion, set_etag
from shared.web.idempotency import Idempotent, changed_response, created_response, stored_response
from shared.web.pagination import Page, PageParametersQuery

router = Router(prefix="/identity/v1/agencies", tags=["agencies"])
PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": AgencyProposalOut, "description": PROPOSED_DESCRIPTION}
}


@router.get("")
async def list_agencies(
    page: PageParametersQuery,
    filters: Annotated[AgencyFilter, Query()],
    caller: Caller,
    session: Session,
) -> Page[AgencyOut]:
    """List agencies.

    Return the agencies of the registry by code, as far as the right reaches them. The codes are
    those of QĐ 20/2020/QĐ-TTg; `confirmed` is false where no public source confirms the code.
    """
    rows, next_cursor = await use_cases.list_agencies(session, caller, filters, page)
    return Page(items=[AgencyOut.model_validate(agency) for agency in rows], next=next_cursor)


@router.get("/{code}")
async def read_agency(
    code: AgencyCode, caller: Caller, session: Session, response: Response
) -> AgencyOut:
    """Read an agency.

    Return one agency with its first and last day and its successor. The `ETag` of the answer is
    needed to reopen it.
    """
    agency = await use_cases.read_agency(session, caller, code)
    set_etag(response, agency.version)
    return AgencyOut.model_validate(agency)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=RegistrationOut,
    responses=PROPOSED,
)
async def register_agency(
    *,
    body: AgencyIn,
    caller: Caller,
    approvals: OperatorApprovalsDep,
    session: Session,
    idempotency: Idempotent,
    now: Now,
) -> Response:
    """Register an agency.

    Only an operator may do it (403 `operators-only`). Agencies that the new one `replaces` are
    closed on the day before `valid_from`. In that case a first request is answered 202, and the
    agency is registered when a second operator sends the same request.
    """
    agency = await use_cases.register_agency(session, caller, body, approvals=approvals, now=now)
    if isinstance(agency, use_cases.PendingAct):
        return stored_response(
            AgencyProposalOut.model_validate(agency), idempotency, HTTPStatus.ACCEPTED
        )
    members = AgencyOut.model_validate(agency).model_dump()
    answer = RegistrationOut(**members, replaced=sorted(body.replaces))
    path = f"{router.prefix}/{agency.code}"
    return created_response(answer, idempotency, path=path, version=agency.version)


@router.post("/{code}/reopening", response_model=AgencyOut, responses=PROPOSED)
async def reopen_agency(
    code: AgencyCode,
    *,
    caller: Caller,
    approvals: OperatorApprovalsDep,
    expected_version: ExpectedVersion,
    session: Session,
    idempotency: Idempotent,
    now: Now,
) -> Response:
    """Reopen a closed agency.

    Clear the last day and the successor of the agency. A first request is answered 202, and the
    agency is reopened when a second operator sends the same request.
    """
    agency = await use_cases.reopen_agency(
        session, caller, code, approvals=approvals, expected_version=expected_version, now=now
    )
    if isinstance(agency, use_cases.PendingAct):
        return stored_response(
            AgencyProposalOut.model_validate(agency), idempotency, HTTPStatus.ACCEPTED
        )
    return changed_response(AgencyOut.model_validate(agency), idempotency, version=agency.version)
