from typing import Annotated

from fastapi import Query
from pydantic import PositiveInt

from dossier_service.catalogue import use_cases as catalogue
from dossier_service.catalogue.dependencies import ProcedureCacheDep
from dossier_service.catalogue.schemas import ProcedureFilter, ProcedureLine, ProcedureOut
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Session
from shared.web.pagination import Page, PageParametersQuery

router = Router(prefix="/dossier/v1/procedures", tags=["procedures"])


@router.get("")
async def search_procedures(
    *,
    _: Caller,
    session: Session,
    filters: Annotated[ProcedureFilter, Query()],
    page: PageParametersQuery,
) -> Page[ProcedureLine]:
    """Search the catalogue of procedures.

    Return procedures whose names fit the words `q`, with or without diacritics, or whose codes
    begin with it. A dossier is filed for one of these codes.
    """
    rows, next_cursor = await catalogue.search_procedures(session, filters, page)
    return Page(items=[ProcedureLine.model_validate(row) for row in rows], next=next_cursor)


@router.get("/{code}")
async def read_procedure(
    *,
    _: Caller,
    session: Session,
    procedures: ProcedureCacheDep,
    code: ProcedureCode,
    version: Annotated[PositiveInt | None, Query(le=2**31 - 1)] = None,
) -> ProcedureOut:
    """Read a procedure.

    Return the published procedure with its channels, terms, papers, fees and results: the newest
    version, or the one that `version` names. A dossier keeps the version with which it was filed.
    """
    published = await catalogue.read_published_procedure(session, procedures, code, version)
    return ProcedureOut(
        code=code,
        version=published.version,
        valid_from=published.valid_from,
        procedure=published.procedure,
    )
