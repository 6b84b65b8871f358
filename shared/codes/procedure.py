"""Parse codes of procedures, national and localised.

An error never repeats the value that was given: a personal number may stand in the wrong field.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.codes.agency import (
    AGENCY_PATTERN,
    CodeError,
    canonical_agency_code,
    is_agency_code,
    parse_agency_code,
)
from shared.texts.translatable import Translatable

# The published catalogue of 2026 holds 5. and 6. beside 1., 2. and 3.
NATIONAL_PROCEDURE = re.compile(r"[1-9]\.[0-9]{6}")
PROCEDURE_PATTERN = rf"{NATIONAL_PROCEDURE.pattern}(?:\.{AGENCY_PATTERN})?"


def parse_procedure_code(code: str) -> str:
    """Return a national (`1.001193`) or localised (`1.001193.H56`) code; raise CodeError."""
    national, agency = code[:8], code[8:]
    if not NATIONAL_PROCEDURE.fullmatch(national):
        raise CodeError(
            Translatable(
                "Not a procedure code: write a digit from 1 to 9, a dot and six digits, as 1.001193"
            )
        )
    if agency and not agency.startswith("."):
        raise CodeError(
            Translatable("A dot parts the national procedure code from the agency, as 1.001193.H56")
        )
    if agency:
        parse_agency_code(agency[1:])
    return code


def is_localised_code(code: str) -> bool:
    """Return whether the text is a national code, a dot and the code of an agency."""
    return (
        code[8:9] == "."
        and NATIONAL_PROCEDURE.fullmatch(code, 0, 8) is not None
        and is_agency_code(code[9:])
    )


def parse_national_code(code: str) -> str:
    """Return the national code in a procedure code: `1.001193.000.00.00.H56` -> `1.001193`."""
    return parse_procedure_code(code)[:8]


def canonical_procedure_code(code: str) -> str:
    """Return a localised code with its agency in the form of QĐ 20, a national one as it is."""
    national, agency = parse_procedure_code(code)[:8], code[9:]
    return f"{national}.{canonical_agency_code(agency)}" if agency else national


_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "pattern": f"^{PROCEDURE_PATTERN}$",
        "examples": ["1.001193", "2.002621.H56"],
    }
)
# Either form of the agency is taken, and the one of QĐ 20 is kept.
ProcedureCode = Annotated[str, AfterValidator(canonical_procedure_code), _SCHEMA]
# The form is kept, as in `WrittenAgencyCode`.
WrittenProcedureCode = Annotated[str, AfterValidator(parse_procedure_code), _SCHEMA]
