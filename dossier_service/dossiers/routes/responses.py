"""Answer with the version of a dossier, and with its subject for the ledger."""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Response

from dossier_service.dossiers.schemas.responses import DossierOut
from shared.web.etag import format_etag
from shared.web.idempotency import IdempotencyClaim

NO_SUBJECT = "-"


def changed_response(
    answer: DossierOut, idempotency: IdempotencyClaim, status: HTTPStatus, *, person: str | None
) -> Response:
    """Return the answer to a change, and store it for repeated requests."""
    headers = {
        "ETag": format_etag(answer.version),
        "X-Subject": person or NO_SUBJECT,
        "X-Fields": NO_SUBJECT,
        # The path of a filing does not name the new dossier.
        "X-Dossier": answer.code,
    }
    # The JSON is written once, for this response and for repeated requests.
    body = answer.model_dump_json()
    idempotency.store_body(body, status, headers)
    return Response(body, status, headers, media_type="application/json")


def set_subject_headers(response: Response, person: str | None, fields: Sequence[str]) -> None:
    """Name the subject by hash; an organisation or a citizen without a number has none."""
    response.headers["X-Subject"] = person or NO_SUBJECT
    response.headers["X-Fields"] = ",".join(fields) or NO_SUBJECT
