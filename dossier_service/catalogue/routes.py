from typing import Annotated

from fastapi import Query
from pydantic import PositiveInt, StringConstraints

from dossier_service.catalogue import use_cases as catalogue
from dossier_service.catalogue.dependencies import ProcedureCacheDep
from dossier_service.catalogue.procedure import Level
from dossier_service.catalogue.schemas import ProcedureLine, ProcedureOut
from shared.codes.agency import AgencyCode
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import Caller
from shared.web.dependencies import Session
from shared.web.pagination import Page, Paging

router = Router(prefix="/dossier/v1/procedures", tags=["procedures"])

Words = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00]*$"),
    Query(
        description="words of the name, with or without diacritics, everyday words for it,"
        " or the beginning of a code",
        examples=["khai sinh", "sổ đỏ", "1.001193"],
    ),
]
Sector = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00]*$"),
    Query(description="as the catalogue names it, in any spelling", examples=["Hộ tịch"]),
]


@router.get("")
async def search_procedures(
    *,
    _: Caller,
    session: Session,
    page: Paging,
    q: Words | None = None,
    owner: AgencyCode | None = None,
    level: Level | None = None,
    sector: Sector | None = None,
    essential: bool | None = None,
) -> Page[ProcedureLine]:
    rows, following = await catalogue.search_procedures(
        session, page, q, owner=owner, level=level, sector=sector, essential=essential
    )
    return Page(items=[ProcedureLine.model_validate(row) for row in rows], next=following)


@router.get("/{code}")
async def read_procedure(
    *,
    _: Caller,
    session: Session,
    procedures: ProcedureCacheDep,
    code: ProcedureCode,
    version: Annotated[PositiveInt | None, Query(le=2**31 - 1)] = None,
) -> ProcedureOut:
    published = await catalogue.read_published_procedure(session, procedures, code, version)
    return ProcedureOut(
        code=code,
        version=published.version,
        valid_from=published.valid_from,
        procedure=published.procedure,
    )
