from typing import Annotated

from fastapi import Query

from shared.codes.dossier import DossierCode
from shared.codes.time import day_in_viet_nam
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Now, Session
from shared.web.pagination import Page, PageParametersQuery
from sync_service.national_view import use_cases
from sync_service.national_view.filters import NationalDossierFilter
from sync_service.national_view.schemas import NationalDossierOut, Timeline

router = Router(prefix="/sync/v1", tags=["national view"])


@router.get("/dossiers")
async def list_national_dossiers(
    session: Session,
    caller: Caller,
    filters: Annotated[NationalDossierFilter, Query()],
    page: PageParametersQuery,
    now: Now,
) -> Page[NationalDossierOut]:
    """List dossiers of the national view.

    Return dossiers of all systems in the country, as far as the right reaches an agency that takes
    part. The newest come first, by reception (by filing while not yet received).
    """
    return await use_cases.list_dossiers(
        session, filters, page, right=caller.right, today=day_in_viet_nam(now)
    )


@router.get("/dossiers/{code}")
async def read_national_dossier(
    code: DossierCode, session: Session, caller: Caller, now: Now
) -> NationalDossierOut:
    """Read a dossier of the national view.

    Return the status and the times of one dossier, from the mesh or from a system outside it. It
    holds no data of the applicant. A dossier outside the right is not found (404
    `dossier-not-found`).
    """
    return await use_cases.read_dossier(
        session, code, right=caller.right, today=day_in_viet_nam(now)
    )


@router.get("/dossiers/{code}/timeline")
async def read_timeline(
    code: DossierCode, session: Session, caller: Caller, page: PageParametersQuery
) -> Timeline:
    """Read the timeline of a dossier.

    Return each state that was published or pushed for the dossier, page by page, oldest first.
    """
    return await use_cases.read_timeline(session, code, page, right=caller.right)
