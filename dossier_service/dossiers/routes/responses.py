"""Responses that name the dossier and its subject for the ledger."""

from http import HTTPStatus

from fastapi import Response

from dossier_service.dossiers.schemas.responses import DossierOut
from shared.web.calls.internal_headers import write_ledger_headers
from shared.web.idempotency import IdempotencyClaim, changed_response


def respond_with_dossier(
    answer: DossierOut,
    idempotency: IdempotencyClaim,
    status: HTTPStatus,
    *,
    person: str | None,
    path: str | None = None,
) -> Response:
    """Return the answer to a change, and store it for repeated requests.

    `path` is that of a new dossier.
    """
    # The path of a filing does not name the new dossier.
    headers = write_ledger_headers([person], dossier=answer.code)
    if path is not None:
        headers |= {"Location": path}
    return changed_response(
        answer, idempotency, version=answer.version, status=status, headers=headers
    )
