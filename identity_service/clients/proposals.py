"""The answer to an act that waits for a second operator."""

from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from identity_service.agencies.schemas import AgencyOut, AgencyProposalOut
from identity_service.clients.models import Proposal
from identity_service.clients.schemas import ClientOut, ProposalOut
from identity_service.grants.schemas import GrantOut
from shared.web.etag import etag
from shared.web.idempotency import Once

_DESCRIPTION = "Waits for a second operator, who sends the same"
PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": ProposalOut, "description": _DESCRIPTION}
}
AGENCY_PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": AgencyProposalOut, "description": _DESCRIPTION}
}


async def answer_proposal(once: Once, proposal: Proposal) -> Response:
    return await answer_once(once, ProposalOut.model_validate(proposal), HTTPStatus.ACCEPTED)


async def answer_agency_proposal(once: Once, proposal: Proposal) -> Response:
    return await answer_once(once, AgencyProposalOut.model_validate(proposal), HTTPStatus.ACCEPTED)


async def answer_changed(once: Once, answer: AgencyOut | ClientOut | GrantOut) -> Response:
    """Return the changed thing with its ETag, also to a repeated request."""
    return await answer_once(once, answer, HTTPStatus.OK, {"ETag": etag(answer.version)})


async def answer_once(
    once: Once, answer: BaseModel, status: HTTPStatus, headers: dict[str, str] | None = None
) -> Response:
    """Keep the answer for a repeated request, and return it."""
    await once.remember(answer, status, headers)
    body = answer.model_dump_json()
    return Response(body, status, headers, media_type="application/json")
