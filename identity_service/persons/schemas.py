"""Define the claim about a person and the response to it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from identity_service.persons import matching
from identity_service.persons.personal_numbers import PersonalNumber, Sex
from identity_service.persons.result import VerificationResult
from identity_service.schemas import RequestModel
from shared.codes.enum_names import name_values
from shared.codes.persons.birth_date import BirthDate
from shared.codes.persons.texts import PersonName
from shared.web.bodies.response_model import ResponseModel
from shared.web.bodies.strict_parsing import StrictInteger

ClaimedSex = Annotated[
    Literal[1, 2],
    StrictInteger,
    Field(json_schema_extra=name_values((Sex.MALE.name, Sex.FEMALE.name))),
]
UnitOfProvince = Annotated[str, Field(pattern=r"^[0-9]{2}$", examples=["01"])]
UnitOfCommune = Annotated[str, Field(pattern=r"^[0-9]{5}$", examples=["00004"])]


def _check_number(text: str) -> str:
    PersonalNumber.parse(text)
    return text


class Residence(RequestModel):
    """Give codes of administrative units, of the 63 provinces or of the 34."""

    province: UnitOfProvince | None = None
    commune: UnitOfCommune | None = None


class VerificationIn(RequestModel):
    """State the known data of a person; `birth_date` is exact to the year, month or day."""

    personal_number: Annotated[
        str,
        AfterValidator(_check_number),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{12}$", "examples": ["001090000001"]}),
    ]
    full_name: PersonName
    birth_date: BirthDate
    sex: ClaimedSex | None = None
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


class VerificationOut(ResponseModel):
    """Name fields, never their values; two lists qualify fields that agree."""

    result: VerificationResult
    differing: tuple[matching.ClaimField, ...] = ()
    without_diacritics: tuple[matching.ClaimField, ...] = ()
    at_coarser_precision: tuple[matching.ClaimField, ...] = ()
    not_comparable: tuple[matching.ClaimField, ...] = ()
    as_of: datetime
