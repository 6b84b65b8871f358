"""Parse codes of agencies, in the layouts of QCVN 102:2016 and of QĐ 20/2020/QĐ-TTg.

An error never repeats the value that was given: a personal number may stand in the wrong field.
"""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.texts.translatable import Translatable

MAX_AGENCY_CODE_CHARACTERS = 35  # characters, QĐ 20/2020/QĐ-TTg
_MAX_LEVELS = 3  # below the first, of the agencies that there are
_QCVN_WIDTHS = (3, 2, 2)  # digits of the levels 4, 3 and 2

# [0-9], not \d: other scripts have digits too, and a code is compared byte by byte.
QCVN_AGENCY = re.compile(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}")
# MAX_AGENCY_CODE_CHARACTERS leaves room for eight levels below the first.
QD20_AGENCY = re.compile(r"[A-Z][0-9]{2}(?:\.[0-9]{1,3}){0,8}")
# A dot, then twelve digits in groups: no agency stands so deep, and a personal number looks so.
NUMBER_IN_GROUPS = re.compile(r"\.(?:[0-9]\.?){11}[0-9](?![0-9])")

AGENCY_PATTERN = rf"(?:{QCVN_AGENCY.pattern}|{QD20_AGENCY.pattern})"


class CodeError(ValueError):
    """The text is not a code of this kind; the message names the fault and its correction."""


def parse_agency_code(code: str) -> str:
    """Return a code of the QCVN (`000.00.04.G18`) or QĐ 20 (`H56.14`) form; raise CodeError."""
    if len(code) > MAX_AGENCY_CODE_CHARACTERS:
        raise CodeError(
            Translatable(
                "An agency code has at most {maximum} characters, this one "
                "has {count}: give the agency's code, not its name or a whole dossier code",
                maximum=MAX_AGENCY_CODE_CHARACTERS,
                count=len(code),
            )
        )
    if not (QCVN_AGENCY.fullmatch(code) or QD20_AGENCY.fullmatch(code)):
        raise CodeError(
            Translatable(
                "Not an agency code: write it as 000.00.04.G18 (QCVN 102) or as a capital "
                "letter, two digits and dotted groups of one to three digits, H56.14 (QĐ 20), "
                "without spaces"
            )
        )
    if holds_number_in_groups(code):
        raise CodeError(
            Translatable(
                "Neighbouring groups of an agency code have twelve digits together, which may be "
                "a person's number: give the agency's code"
            )
        )
    return code


def holds_number_in_groups(code: str) -> bool:
    """Return whether the dotted groups of a code have the digits of a personal number together."""
    # The three groups of a real agency hold at most nine digits.
    return code.count(".") > _MAX_LEVELS and NUMBER_IN_GROUPS.search(code) is not None


def is_agency_code(code: str) -> bool:
    try:
        return bool(parse_agency_code(code))
    except CodeError:
        return False


@lru_cache(maxsize=65_536)
def canonical_agency_code(code: str) -> str:
    """Return the form of QĐ 20, `000.00.04.G18` -> `G18.04`; raise CodeError for another text."""
    groups = parse_agency_code(code).split(".")
    if not groups[0].isdigit():
        return code
    groups.reverse()
    while not groups[-1].strip("0"):
        groups.pop()
    return ".".join(groups)


def qcvn_agency_code(code: str) -> str | None:
    """Return the form of QCVN 102, `G18.04` -> `000.00.04.G18`; None where a code has none.

    `H26.00` has none: written with zeros above it, it would be the code of `H26`.
    """
    first, *lower = code.split(".")
    if len(lower) > len(_QCVN_WIDTHS):
        return None
    groups = [*reversed(lower)]
    missing = ["0" * width for width in _QCVN_WIDTHS[: len(_QCVN_WIDTHS) - len(groups)]]
    written = ".".join([*missing, *groups, first])
    is_written = QCVN_AGENCY.fullmatch(written) and canonical_agency_code(written) == code
    return written if is_written else None


_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "maxLength": MAX_AGENCY_CODE_CHARACTERS,
        "pattern": f"^{AGENCY_PATTERN}$",
        "examples": ["H56.14", "000.00.04.G18"],
    }
)
# Either form is taken, and the one of QĐ 20 is kept, so that an agency has one code everywhere.
AgencyCode = Annotated[str, AfterValidator(canonical_agency_code), _SCHEMA]
# The form is kept: rows of other systems are compared with those that the same system sent before.
WrittenAgencyCode = Annotated[str, AfterValidator(parse_agency_code), _SCHEMA]
