from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from identity_service.answers import answer_created
from identity_service.clients.models import Proposal
from identity_service.clients.proposals import PROPOSED, answer_changed, answer_proposal
from identity_service.clients.use_cases.approvals import Consent
from identity_service.grants import repository as grant_store
from identity_service.grants.models import Grant
from identity_service.grants.responses import RevocationOut
from identity_service.grants.schemas import GrantFilter, GrantIn, GrantOut
from identity_service.grants.use_cases import grants
from shared.database.session import Session
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now
from shared.web.etag import ExpectedVersion, set_etag
from shared.web.idempotency import OnceOnly
from shared.web.pagination import Page

router = Router(prefix="/identity/v1/grants", tags=["grants"])


@router.get("")
async def list_grants(
    asked: Annotated[GrantFilter, Query()], caller: Caller, session: Session
) -> Page[GrantOut]:
    """List grants by id. A page of long grants is shorter than `limit`: follow `next`."""
    page, has_more = await grant_store.list_grants(session, asked, caller.right.united_agencies)
    following = asked.paging.write((str(page[-1].id),)) if has_more else None
    return Page(items=[GrantOut.model_validate(grant) for grant in page], next=following)


@router.get("/{grant_id}", response_model=GrantOut)
async def read_grant(grant_id: UUID, caller: Caller, session: Session, response: Response) -> Grant:
    grant = await grants.read_grant(session, caller, grant_id)
    set_etag(response, grant.version)
    return grant


@router.post("", status_code=HTTPStatus.CREATED)
async def give_grant(
    *,
    body: GrantIn,
    caller: Caller,
    session: Session,
    once: OnceOnly,
    response: Response,
    now: Now,
) -> GrantOut:
    grant = await grants.give_grant(session, caller, body, now=now)
    path = f"{router.prefix}/{grant.id}"
    answer = GrantOut.model_validate(grant)
    return await answer_created(answer, path, grant.version, once=once, response=response)


@router.post("/{grant_id}/revocation", response_model=RevocationOut, responses=PROPOSED)
async def revoke_grant(
    grant_id: UUID,
    *,
    caller: Caller,
    version: ExpectedVersion,
    session: Session,
    once: OnceOnly,
    now: Now,
) -> Response:
    """End a grant; administration of another operator ends when a second operator asks for it."""
    consent = Consent(caller, None, (), now)
    ended = await grants.revoke_grant(session, consent, grant_id, expected_version=version)
    if isinstance(ended, Proposal):
        return await answer_proposal(once, ended)
    return await answer_changed(once, RevocationOut.from_grants(ended))
