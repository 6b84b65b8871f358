"""Answer an act on a client or its grant that waits for a second operator."""

from http import HTTPStatus
from typing import Any

from fastapi import Response

from identity_service.agencies.use_cases import PendingAct
from identity_service.clients.schemas import ProposalOut
from identity_service.schemas import PROPOSED_DESCRIPTION
from shared.web.idempotency import IdempotencyClaim, stored_response

PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": ProposalOut, "description": PROPOSED_DESCRIPTION}
}


def answer_proposal(idempotency: IdempotencyClaim, pending: PendingAct) -> Response:
    return stored_response(ProposalOut.model_validate(pending), idempotency, HTTPStatus.ACCEPTED)
