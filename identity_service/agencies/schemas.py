"""Define the request bodies, filters and responses of agencies."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, Strict

from identity_service.agencies.registry_seed import AgencyLevel
from identity_service.schemas import Name, PendingActOut, RequestModel
from shared.codes.agency import AgencyCode, WrittenAgencyCode
from shared.codes.persons.texts import ONE_LINE, single_line
from shared.web.bodies.response_model import ResponseModel
from shared.web.bodies.strict_parsing import IsoDay
from shared.web.pagination import ListFilter

UnitCode = Annotated[
    str,
    Field(
        pattern=r"^(?:[0-9]{2}|[0-9]{5})$",
        description="code of a province (2 digits) or a commune (5 digits)",
    ),
]


class AgencyFilter(ListFilter):
    """`q` is a part of the name, with or without diacritics, or a whole code, new or old."""

    level: AgencyLevel | None = None
    parent: AgencyCode | None = None
    q: Annotated[str, single_line(100, min_length=2), ONE_LINE] | None = None
    on: IsoDay | None = None


class AgencyIn(RequestModel):
    """The agencies in `replaces` close on the day before `valid_from`; this one succeeds them."""

    code: AgencyCode
    old_code: WrittenAgencyCode | None = None
    name: Name
    level: AgencyLevel
    parent: AgencyCode | None = None
    valid_from: IsoDay
    unit_code: UnitCode | None = None
    replaces: Annotated[
        frozenset[AgencyCode], Strict(strict=False), Field(max_length=200, fail_fast=True)
    ] = frozenset()


class AgencyOut(ResponseModel):
    code: str
    version: int
    old_code: str | None
    name: str
    level: AgencyLevel
    parent: str | None
    valid_from: date
    valid_to: date | None
    successor: str | None
    unit_code: str | None
    confirmed: bool


class RegistrationOut(AgencyOut):
    replaced: list[str] = Field(description="codes of the agencies that this registration closed")


class AgencyProposalOut(PendingActOut):
    """State an act on an agency that waits until a second operator sends the same request."""

    code: str = Field(validation_alias="target")
    act: Literal["replace", "reopen"]
