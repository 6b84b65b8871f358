"""Read the personas: people with fixed numbers, at least one for each result of a verification.

Their serials lie below those of generated people (`generator.FIRST_SERIAL`).
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from identity_service.persons.matching import Claim, ClaimField
from identity_service.persons.personal_numbers import PersonalNumber, Sex
from identity_service.persons.result import VerificationResult
from identity_service.sandbox.generator.person import Person, Status
from shared.codes.persons.birth_date import parse_birth_date

# No record leads to these results, so that the persona sets them in the register.
_FIXED_RESULTS = frozenset(
    {
        VerificationResult.NOT_YET_REPLICATED,
        VerificationResult.AMBIGUOUS,
        VerificationResult.SOURCE_UNAVAILABLE,
    }
)
_ABSENT = _FIXED_RESULTS | {VerificationResult.NOT_FOUND}

TwoDigits = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
FiveDigits = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]


class _PersonaModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonaRecord(_PersonaModel):
    """List the values of the record that differ from the persona's claim; None is as claimed."""

    full_name: str | None = None
    birth_date: str | None = None
    residence_province: TwoDigits | None = None
    status: Status = "ALIVE"


class Persona(_PersonaModel):
    """Describe a claim, and the result that the register must give for it."""

    about: str
    answer: VerificationResult
    personal_number: str
    full_name: str
    sex: Sex
    birth_date: str
    residence_province: TwoDigits
    residence_commune: FiveDigits
    differing: tuple[ClaimField, ...] = ()
    record: PersonaRecord = PersonaRecord()

    @model_validator(mode="after")
    def _require_consistency(self) -> Self:
        number = PersonalNumber.parse(self.personal_number)
        if number.contradicts_sex(self.sex) or number.contradicts_birth_date(self.birth_date):
            raise ValueError("the number contradicts the sex or the year of birth")
        if parse_birth_date(self.birth_date) != self.birth_date:
            raise ValueError("a birth date here is yyyy, yyyy-mm or yyyy-mm-dd")
        if bool(self.differing) != (self.answer is VerificationResult.MISMATCH):
            raise ValueError("a mismatch, and nothing else, names the differing fields")
        return self

    @property
    def has_fixed_result(self) -> bool:
        """Return whether the register must give `answer` for this number in any case."""
        return self.answer in _FIXED_RESULTS

    @property
    def claim(self) -> Claim:
        return Claim(
            full_name=self.full_name,
            birth_date=self.birth_date,
            sex=self.sex,
            residence_province=self.residence_province,
            residence_commune=self.residence_commune,
        )

    @property
    def person(self) -> Person | None:
        """Return the row of the register, or None where it must hold none."""
        if self.answer in _ABSENT:
            return None
        return Person(
            personal_number=self.personal_number,
            full_name=self.record.full_name or self.full_name,
            sex=self.sex.value,
            birth_date=self.record.birth_date or self.birth_date,
            residence_province=self.record.residence_province or self.residence_province,
            residence_commune=(None if self.record.residence_province else self.residence_commune),
            status=self.record.status,
        )


class _File(_PersonaModel):
    personas: dict[str, Persona]


@cache
def read_personas() -> Mapping[str, Persona]:
    """Return the personas by name, in the order of `personas.yaml`."""
    text = (Path(__file__).with_name("data") / "personas.yaml").read_text(encoding="utf-8")
    return _File.model_validate(yaml.safe_load(text)).personas
