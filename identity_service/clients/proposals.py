"""Answer an act on a client or its grant that waits for a second operator."""

from http import HTTPStatus
from typing import Any

from fastapi import Response

from identity_service.agencies.use_cases import PendingAct
from identity_service.answers import PROPOSED_DESCRIPTION, answer_once
from identity_service.clients.schemas import ProposalOut
from shared.web.idempotency import IdempotencyClaim

PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": ProposalOut, "description": PROPOSED_DESCRIPTION}
}


async def answer_proposal(idempotency: IdempotencyClaim, pending: PendingAct) -> Response:
    return await answer_once(idempotency, ProposalOut.model_validate(pending), HTTPStatus.ACCEPTED)
