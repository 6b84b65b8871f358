"""Read the registered legal bases: purposes of calls that serve no procedure.

The registry is data, `gateway/purposes/data/legal_bases.yaml`, read once and strictly.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.codes.persons.personal_numbers import NoPersonalNumber

FILE: Final = Path(__file__).parent / "data" / "legal_bases.yaml"
# A code is number, year and kind of a document, such as 91/2025/QH15 or 278/2025/ND-CP.
LEGAL_BASIS_PATTERN: Final = r"[0-9]{1,4}/[0-9]{4}/[A-Z][A-Z0-9]{1,9}(?:-[A-Z]{1,9})*"

LegalBasisCode = Annotated[
    str, Field(pattern=f"^{LEGAL_BASIS_PATTERN}$", examples=["91/2025/QH15"]), NoPersonalNumber
]


class LegalBasis(BaseModel):
    """A document that allows the use of personal data outside of a procedure.

    A day is a day in Viet Nam.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: LegalBasisCode
    document: str = Field(description="the number and title of the document, as published")
    vi: str = Field(description="the use that it allows, in Vietnamese")
    en: str = Field(description="the use that it allows, in English")
    valid_from: date
    valid_to: date | None = Field(None, description="the last day, null where none is set")


class LegalBases(BaseModel):
    items: list[LegalBasis]


_FILE = TypeAdapter(list[LegalBasis])


@cache
def read_legal_bases() -> Mapping[str, LegalBasis]:
    """Return the registry by code, in order; raise pydantic.ValidationError for a bad entry."""
    entries = _FILE.validate_python(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    return {entry.code: entry for entry in sorted(entries, key=lambda entry: entry.code)}
