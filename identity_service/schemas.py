"""Bodies and filters of requests, and the answers."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    Strict,
    WithJsonSchema,
)

from identity_service.agencies.registry_seed import Level
from identity_service.clients.jwk import EXAMPLE, JWK_SHAPES, KEY_ID, checked_public_jwk
from identity_service.grants.grant_rules import grant_rules
from identity_service.grants.legal_bases import LegalBasis
from identity_service.persons import matching
from identity_service.persons.personal_numbers import PersonalNumber
from identity_service.persons.result import Answer
from shared.codes.agency import AgencyCode
from shared.codes.birth_date import BirthDate
from shared.codes.personal_numbers import NoPersonalNumber
from shared.codes.procedure import ProcedureCode
from shared.codes.texts import ONE_LINE, PersonName, single_line
from shared.web.bodies.strict_parsing import Body, IsoDay, IsoInstant, Number
from shared.web.pagination import MOST, Cursor, PageQuery, name_filtered

ClientKind = Literal["sandbox", "production"]
Name = Annotated[str, single_line(300), ONE_LINE, NoPersonalNumber]
KeyId = Annotated[str, Field(pattern=KEY_ID, examples=["signing-2026"])]
ClientId = Annotated[
    str,
    Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{1,62})[a-z0-9]$", examples=["onestop-h26"]),
    NoPersonalNumber,
]
OPERATION = r"^(?:\*|(?:GET|POST|PUT|PATCH|DELETE) /[A-Za-z0-9._{}/-]{1,200})$"
OperationName = Annotated[
    str,
    Field(pattern=OPERATION, description="or * for all", examples=["GET /sync/v1/dossiers/{code}"]),
]
# The use case refuses the others, by their names.
GrantedOperation = Annotated[
    OperationName, WithJsonSchema({"type": "string", "enum": sorted(grant_rules())})
]
FieldName = Annotated[str, Field(pattern=r"^[a-z_]{1,50}$", examples=["full_name"])]
UnitOfProvince = Annotated[str, Field(pattern=r"^[0-9]{2}$", examples=["01"])]
UnitOfCommune = Annotated[str, Field(pattern=r"^[0-9]{5}$", examples=["00004"])]
UnitCode = Annotated[
    str,
    Field(
        pattern=r"^(?:[0-9]{2}|[0-9]{5})$", description="of a province or commune, 2 or 5 digits"
    ),
]


def _checked_number(text: str) -> str:
    PersonalNumber.parse(text)
    return text


class _Request(Body):
    model_config = ConfigDict(frozen=True)


class _Filter(BaseModel):
    """Of a list, with the words of paging: beside a `Paging` it would have to let any word pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=MOST, description="how many at most")
    after: Cursor | None = Field(None, description="`next` of the page before")

    @property
    def paging(self) -> PageQuery:
        of_list = name_filtered(type(self).__name__, self)
        return PageQuery.of(self.limit, self.after, of_list=of_list)


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Residence(_Request):
    """Codes of administrative units, of the 63 provinces or of the 34."""

    province: UnitOfProvince | None = None
    commune: UnitOfCommune | None = None


class VerificationIn(_Request):
    """`birth_date` reaches as far as it is known."""

    personal_number: Annotated[
        str,
        AfterValidator(_checked_number),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{12}$", "examples": ["001090000001"]}),
    ]
    full_name: PersonName
    birth_date: BirthDate
    sex: Annotated[Literal[1, 2], Number] | None = None
    residence: Residence | None = None

    @property
    def claim(self) -> matching.Claim:
        return matching.Claim(
            full_name=self.full_name,
            birth_date=self.birth_date,
            sex=self.sex,
            residence_province=self.residence.province if self.residence else None,
            residence_commune=self.residence.commune if self.residence else None,
        )


class VerificationOut(_Answer):
    """Names of fields, never their values; all but `differing` qualify what agrees."""

    result: Answer
    differing: tuple[matching.Field, ...] = ()
    without_diacritics: tuple[matching.Field, ...] = ()
    at_coarser_precision: tuple[matching.Field, ...] = ()
    not_comparable: tuple[matching.Field, ...] = ()
    as_of: datetime


class AgencyFilter(_Filter):
    """`q` is a part of the name, with or without diacritics, or a whole code, new or old."""

    level: Level | None = None
    parent: AgencyCode | None = None
    q: Annotated[str, single_line(100, min_length=2), ONE_LINE] | None = None
    on: IsoDay | None = None


class AgencyIn(_Request):
    """`replaces` are closed on the day before `valid_from` and name this one as successor."""

    code: AgencyCode
    old_code: AgencyCode | None = None
    name: Name
    level: Level
    parent: AgencyCode | None = None
    valid_from: IsoDay
    unit_code: UnitCode | None = None
    replaces: Annotated[
        frozenset[AgencyCode], Strict(strict=False), Field(max_length=200, fail_fast=True)
    ] = frozenset()


class AgencyOut(_Answer):
    code: str
    version: int
    old_code: str | None
    name: str
    level: Level
    parent: str | None
    valid_from: date
    valid_to: date | None
    successor: str | None
    unit_code: str | None
    confirmed: bool


class RegistrationOut(AgencyOut):
    replaced: list[str] = Field(description="the agencies that closed by this act")


class ClientFilter(_Filter):
    agency: AgencyCode | None = None
    kind: ClientKind | None = None
    operator: bool | None = None
    active: bool | None = None


class ClientIn(_Request):
    """A secret is for the sandbox only; an operator runs the mesh, and may be of either kind."""

    client_id: ClientId
    agency: AgencyCode
    name: Name
    kind: ClientKind
    operator: bool = False


class PublicJwk(RootModel[dict[str, Any]]):
    """RFC 7517: EC P-256, OKP Ed25519 or RSA; `kid` is its thumbprint where it names none."""

    root: Annotated[
        dict[str, Any],
        AfterValidator(checked_public_jwk),
        WithJsonSchema({"oneOf": JWK_SHAPES, "examples": [EXAMPLE]}),
    ]


class KeyOut(_Answer):
    kid: str
    jwk: dict[str, str]
    added_at: datetime


class _ProposalOut(_Answer):
    """An act that waits, until `expires_at`, for a second operator to send the same request."""

    proposed_by: str
    proposed_at: datetime
    expires_at: datetime


class ProposalOut(_ProposalOut):
    """An act on a client or its grant that waits for a second operator to send the same request."""

    client_id: str = Field(validation_alias="target")
    act: Literal["add-key", "remove-key", "deactivate", "revoke-grant"]


class AgencyProposalOut(_ProposalOut):
    """An act on an agency that waits for a second operator to send the same request."""

    code: str = Field(validation_alias="target")
    act: Literal["replace", "reopen"]


class ClientOut(_Answer):
    client_id: str
    version: int
    agency: str
    name: str
    kind: ClientKind
    operator: bool
    active: bool
    keys: list[KeyOut]


class GrantFilter(_Filter):
    client_id: ClientId | None = None
    operation: OperationName | None = None
    in_force: bool | None = None


class GrantIn(_Request):
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
    valid_from: IsoInstant | None = Field(default=None, description="now, where it is left out")
    valid_to: IsoInstant | None = None
    legal_basis: LegalBasis
    per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    per_day: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = None


class GrantOut(_Answer):
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


class TokenOut(BaseModel):
    """RFC 6749 §5.1; `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 -- a kind of token
    expires_in: int
