from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response

from identity_service import store
from identity_service.models import Agency
from identity_service.routes.created import answer_created
from identity_service.schemas import AgencyFilter, AgencyIn, AgencyOut
from identity_service.use_cases import agencies
from shared.auth import Caller
from shared.database import Session
from shared.events.codes import AgencyCode
from shared.idempotency import OnceOnly
from shared.pagination import Page
from shared.preconditions import set_etag
from shared.reading import Router

router = Router(prefix="/identity/v1/agencies", tags=["agencies"])


@router.get("")
async def list_agencies(
    asked: Annotated[AgencyFilter, Query()], caller: Caller, session: Session
) -> Page[AgencyOut]:
    rows = await store.list_agencies(session, asked, caller.right.united_agencies)
    page, following = asked.paging.cut(rows, lambda agency: (agency.code,))
    return Page(items=[AgencyOut.model_validate(agency) for agency in page], next=following)


@router.get("/{code}", response_model=AgencyOut)
async def read_agency(
    code: AgencyCode, caller: Caller, session: Session, response: Response
) -> Agency:
    agency = await agencies.read_agency(session, caller, code)
    set_etag(response, agency.version)
    return agency


@router.post("", status_code=HTTPStatus.CREATED)
async def register_agency(
    body: AgencyIn, caller: Caller, session: Session, once: OnceOnly, response: Response
) -> AgencyOut:
    agency = await agencies.register_agency(session, caller, body)
    path = f"{router.prefix}/{agency.code}"
    answer = AgencyOut.model_validate(agency)
    return await answer_created(answer, path, agency.version, once=once, response=response)
