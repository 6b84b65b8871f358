"""Define the request bodies, filters and responses of grants."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from identity_service.grants.grant_rules import FieldName, GrantedOperation, OperationName
from identity_service.grants.legal_bases import LegalBasisCitation
from identity_service.grants.models import Grant
from identity_service.schemas import (
    ClientId,
    EndedGrantsOut,
    RequestModel,
)
from shared.codes.agency import AgencyCode
from shared.codes.procedure import ProcedureCode
from shared.web.bodies.response_model import ResponseModel
from shared.web.bodies.strict_parsing import IsoInstant
from shared.web.pagination import ListFilter


class GrantFilter(ListFilter):
    client_id: ClientId | None = None
    operation: OperationName | None = None
    in_force: bool | None = None


class GrantIn(RequestModel):
    """None means all, in `procedures`, `fields` and `agencies`; an empty list is refused."""

    client_id: ClientId
    operations: Annotated[
        list[GrantedOperation], Field(min_length=1, max_length=100, fail_fast=True)
    ]
    procedures: (
        Annotated[list[ProcedureCode], Field(min_length=1, max_length=5_000, fail_fast=True)] | None
    ) = None
    fields: (
        Annotated[list[FieldName], Field(min_length=1, max_length=100, fail_fast=True)] | None
    ) = None
    agencies: (
        Annotated[list[AgencyCode], Field(min_length=1, max_length=1_000, fail_fast=True)] | None
    ) = None
    valid_from: IsoInstant | None = Field(
        default=None, description="the time of the request where it is left out"
    )
    valid_to: IsoInstant | None = None
    legal_basis: LegalBasisCitation
    per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    per_day: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = None


class GrantOut(ResponseModel):
    id: UUID
    version: int
    client_id: str
    operations: list[str]
    procedures: list[str] | None
    fields: list[str] | None
    agencies: list[str] | None
    valid_from: datetime
    valid_to: datetime | None
    legal_basis: str
    per_second: int | None
    per_day: int | None
    rests_on: list[UUID] = Field(description="grants of the giver; this one ends with each of them")
    given_by: str
    given_by_officer: str | None
    given_at: datetime
    revoked_by: str | None
    revoked_by_officer: str | None
    revoked_at: datetime | None


class RevocationOut(EndedGrantsOut, GrantOut):
    """Show the revoked grant and the ids of the grants that rested on it and ended too."""

    @classmethod
    def from_grants(cls, ended: Sequence[Grant]) -> Self:
        """Build the response; the revoked grant is the first of `ended`."""
        revoked = GrantOut.model_validate(ended[0]).model_dump()
        return cls(**revoked, **cls.build_ended_members([grant.id for grant in ended]))
