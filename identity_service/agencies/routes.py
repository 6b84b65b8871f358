from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response

from identity_service.agencies import repository as agency_store
from identity_service.agencies import use_cases as agencies
from identity_service.agencies.models import Agency
from identity_service.agencies.schemas import AgencyFilter, AgencyIn, AgencyOut, RegistrationOut
from identity_service.clients.models import Proposal
from identity_service.clients.proposals import (
    AGENCY_PROPOSED,
    answer_agency_proposal,
    answer_changed,
    answer_once,
)
from identity_service.clients.use_cases.approvals import Consent
from shared.codes.agency import AgencyCode
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now
from shared.web.etag import ExpectedVersion, created_headers, set_etag
from shared.web.idempotency import OnceOnly
from shared.web.pagination import Page

router = Router(prefix="/identity/v1/agencies", tags=["agencies"])


@router.get("")
async def list_agencies(
    asked: Annotated[AgencyFilter, Query()], caller: Caller, session: Session
) -> Page[AgencyOut]:
    rows = await agency_store.list_agencies(session, asked, caller.right.united_agencies)
    page, following = asked.paging.cut(rows, lambda agency: (agency.code,))
    return Page(items=[AgencyOut.model_validate(agency) for agency in page], next=following)


@router.get("/{code}", response_model=AgencyOut)
async def read_agency(
    code: AgencyCode, caller: Caller, session: Session, response: Response
) -> Agency:
    agency = await agencies.read_agency(session, caller, code)
    set_etag(response, agency.version)
    return agency


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=RegistrationOut,
    responses=AGENCY_PROPOSED,
)
async def register_agency(
    body: AgencyIn, caller: Caller, session: Session, once: OnceOnly, now: Now
) -> Response:
    """Register an agency; those that it replaces close when a second operator asks for it too."""
    agency = await agencies.register_agency(session, Consent(caller, None, (), now), body)
    if isinstance(agency, Proposal):
        return await answer_agency_proposal(once, agency)
    members = AgencyOut.model_validate(agency).model_dump()
    answer = RegistrationOut(**members, replaced=sorted(body.replaces))
    headers = created_headers(f"{router.prefix}/{agency.code}", agency.version)
    return await answer_once(once, answer, HTTPStatus.CREATED, headers)


@router.post("/{code}/reopening", response_model=AgencyOut, responses=AGENCY_PROPOSED)
async def reopen_agency(
    code: AgencyCode,
    *,
    caller: Caller,
    version: ExpectedVersion,
    session: Session,
    once: OnceOnly,
    now: Now,
) -> Response:
    """Undo the closing of an agency: when a second operator asks for it too."""
    consent = Consent(caller, None, (), now)
    agency = await agencies.reopen_agency(session, consent, code, expected_version=version)
    if isinstance(agency, Proposal):
        return await answer_agency_proposal(once, agency)
    return await answer_changed(once, AgencyOut.model_validate(agency))
