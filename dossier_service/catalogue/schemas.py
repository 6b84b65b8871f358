"""The response bodies of procedures."""

from pydantic import BaseModel

from dossier_service.catalogue.procedure import Level, Procedure
from dossier_service.schemas import Instant
from shared.web.bodies.response_model import ResponseModel


class ProcedureLine(ResponseModel):
    code: str
    name: str
    version: int
    owner: str | None
    levels: list[Level]
    sector: str
    essential: bool


class ProcedureOut(BaseModel):
    """One version of a procedure, as it was published."""

    code: str
    version: int
    valid_from: Instant
    procedure: Procedure
