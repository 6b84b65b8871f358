"""The filters and response bodies of procedures."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from dossier_service.catalogue.procedure import Procedure, ProcedureLevel
from dossier_service.schemas import Instant
from shared.codes.agency import AgencyCode
from shared.web.bodies.response_model import ResponseModel
from shared.web.pagination import ListFilter

Words = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00]*$"),
    Field(
        description="words of the name, with or without diacritics, everyday words for it,"
        " or the beginning of a code",
        examples=["khai sinh", "sổ đỏ", "1.001193"],
    ),
]
Sector = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00]*$"),
    Field(
        description="the name of the sector in the catalogue, in any spelling", examples=["Hộ tịch"]
    ),
]


class ProcedureFilter(ListFilter):
    q: Words | None = None
    owner: AgencyCode | None = None
    level: ProcedureLevel | None = None
    sector: Sector | None = None
    essential: bool | None = None


class ProcedureLine(ResponseModel):
    code: str
    name: str
    version: int
    owner: str | None
    levels: list[ProcedureLevel]
    sector: str
    essential: bool


class ProcedureOut(BaseModel):
    """One version of a procedure, as it was published."""

    code: str
    version: int
    valid_from: Instant
    procedure: Procedure
