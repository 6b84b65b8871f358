"""What goes with an answer about a dossier: its version, and whom it is about, for the ledger."""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import Response

from dossier_service.catalogue.procedure import Procedure
from dossier_service.models import Dossier
from dossier_service.schemas.answers import DossierOut
from shared.idempotency import Once
from shared.preconditions import set_etag

NOBODY = "-"


async def answered(
    dossier: Dossier, procedure: Procedure, response: Response, once: Once, status: HTTPStatus
) -> DossierOut:
    """The answer to a change, remembered. It gives no field of the applicant, who is named only."""
    set_etag(response, dossier.version)
    name_subject(response, dossier.person, [])
    # Where it was just made, no path names it yet.
    response.headers["X-Dossier"] = dossier.code
    answer = DossierOut.of(dossier, procedure)
    return await once.remember(answer, status, dict(response.headers))


def name_subject(response: Response, person: str | None, fields: Sequence[str]) -> None:
    """An organisation, or a citizen without a number, is nobody whom a hash could name."""
    response.headers["X-Subject"] = person or NOBODY
    response.headers["X-Fields"] = ",".join(fields) or NOBODY
