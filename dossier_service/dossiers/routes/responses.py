"""What goes with an answer about a dossier: its version, and whom it is about, for the ledger."""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Response

from dossier_service.dossiers.schemas.responses import DossierOut
from shared.web.etag import etag
from shared.web.idempotency import Once

NO_SUBJECT = "-"


def changed_response(
    answer: DossierOut, idempotency: Once, status: HTTPStatus, *, person: str | None
) -> Response:
    """The answer to a change, remembered. It gives no field of the applicant, who is named only."""
    headers = {
        "ETag": etag(answer.version),
        "X-Subject": person or NO_SUBJECT,
        "X-Fields": NO_SUBJECT,
        # Where it was just made, no path names it yet.
        "X-Dossier": answer.code,
    }
    # Written as JSON once, for the caller and for who asks again.
    body = answer.model_dump_json()
    idempotency.remember_body(body, status, headers)
    return Response(body, status, headers, media_type="application/json")


def set_subject_headers(response: Response, person: str | None, fields: Sequence[str]) -> None:
    """An organisation, or a citizen without a number, is nobody whom a hash could name."""
    response.headers["X-Subject"] = person or NO_SUBJECT
    response.headers["X-Fields"] = ",".join(fields) or NO_SUBJECT
