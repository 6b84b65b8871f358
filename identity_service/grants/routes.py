from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from identity_service.agencies.use_cases import PendingAct
from identity_service.clients.proposals import PROPOSED, answer_proposal
from identity_service.clients.use_cases.approvals import Consent
from identity_service.clients.use_cases.clients import list_client_states
from identity_service.grants.schemas import GrantFilter, GrantIn, GrantOut, RevocationOut
from identity_service.grants.use_cases import grants
from shared.events import ClientChanged, GrantChanged
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.calls.service_calls import GatewayAlone
from shared.web.dependencies import Now, Session
from shared.web.etag import ExpectedVersion, set_etag
from shared.web.idempotency import Idempotent, changed_response, created_response
from shared.web.pagination import Page, PageParametersQuery

MAX_ROWS = 1_000

router = Router(prefix="/identity/v1/grants", tags=["grants"])
# Only the gateway calls these routes, to compare all clients and grants with its cache.
rights_router = Router(prefix="/internal/rights", include_in_schema=False)
AfterClient = Annotated[str | None, Query(max_length=200)]


@router.get("")
async def list_grants(
    page: PageParametersQuery,
    filters: Annotated[GrantFilter, Query()],
    caller: Caller,
    session: Session,
) -> Page[GrantOut]:
    """List grants.

    Return the grants by id, as far as the right reaches the agencies of their clients. A page of
    long grants is shorter than `limit`: follow `next`.
    """
    rows, next_cursor = await grants.list_grants(session, caller, filters, page)
    return Page(items=[GrantOut.model_validate(grant) for grant in rows], next=next_cursor)


@router.get("/{grant_id}")
async def read_grant(
    grant_id: UUID, caller: Caller, session: Session, response: Response
) -> GrantOut:
    """Read a grant.

    Return one grant. The `ETag` of the answer is needed to revoke it.
    """
    grant = await grants.read_grant(session, caller, grant_id)
    set_etag(response, grant.version)
    return GrantOut.model_validate(grant)


@router.post("", status_code=HTTPStatus.CREATED, response_model=GrantOut)
async def create_grant(
    *,
    body: GrantIn,
    caller: Caller,
    session: Session,
    idempotency: Idempotent,
    now: Now,
) -> Response:
    """Give a right to a client system.

    An operator gives any right, and the owner of the data gives rights to it (403 `operators-only`,
    `not-the-owner`). The grant must lie within one grant of the giver (403 `beyond-own-right`), and
    it ends with the grants in `rests_on`. A limit that is left out (`procedures`, `fields`,
    `agencies`) means all.
    """
    grant = await grants.create_grant(session, caller, body, now=now)
    path = f"{router.prefix}/{grant.id}"
    answer = GrantOut.model_validate(grant)
    return created_response(answer, idempotency, path=path, version=grant.version)


@router.post("/{grant_id}/revocation", response_model=RevocationOut, responses=PROPOSED)
async def revoke_grant(
    grant_id: UUID,
    *,
    caller: Caller,
    expected_version: ExpectedVersion,
    session: Session,
    idempotency: Idempotent,
    now: Now,
) -> Response:
    """Revoke a grant.

    End the grant, and with it the grants that rest on it (`ended_grants`). Its giver, an operator
    or the owner of the data may do it. An operator that takes administration from another operator
    needs a second one: the first request is answered 202, and the grant ends when the second
    operator sends the same request.
    """
    consent = Consent(caller, None, (), now)
    ended = await grants.revoke_grant(session, consent, grant_id, expected_version=expected_version)
    if isinstance(ended, PendingAct):
        return answer_proposal(idempotency, ended)
    return changed_response(RevocationOut.from_grants(ended), idempotency, version=ended[0].version)


@rights_router.get("/clients")
async def list_all_clients(
    _: GatewayAlone, session: Session, now: Now, after: AfterClient = None
) -> Sequence[ClientChanged]:
    """List clients by id, at most `MAX_ROWS` after the id `after`."""
    return await list_client_states(session, after=after, limit=MAX_ROWS, now=now)


@rights_router.get("/grants")
async def list_current_grants(
    _: GatewayAlone, session: Session, now: Now, after: UUID | None = None
) -> Sequence[GrantChanged]:
    """List, by id, the grants that are or will be in force, or ended lately."""
    return await grants.list_grant_states(session, after=after, limit=MAX_ROWS, now=now)
