"""Parse and issue codes of dossiers (TT 01/2018/TT-VPCP, QĐ 20/2020/QĐ-TTg).

An error never repeats the value that was given: a personal number may stand in the wrong field.
"""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from shared.codes.agency import (
    AGENCY_PATTERN,
    QCVN_AGENCY,
    QD20_AGENCY,
    CodeError,
    parse_agency_code,
)
from shared.codes.time import LEAP_OF_2000, build_day_pattern
from shared.texts.translatable import Translatable

MAX_SERIAL = 9_999_999
_CENTURY = 2000
_DATE_BLOCK = re.compile("(?:20)?" + build_day_pattern("[0-9]{2}", LEAP_OF_2000, dash=""))
_SERIAL = re.compile(r"[0-9]{4,7}")
DOSSIER_PATTERN = rf"{AGENCY_PATTERN}-(?:{_DATE_BLOCK.pattern})-{_SERIAL.pattern}"


class DossierCodeParts(NamedTuple):
    agency: str
    date: date
    serial: int


class DossierCodeLayout(BaseModel):
    """The form of newly issued dossier codes.

    TT 03/2025/TT-VPCP prescribes new digits, which are not published.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    agency_form: Literal["qcvn", "qd20"]
    year_digits: Literal[2, 4]
    serial_digits: int = Field(ge=4, le=7)


DOSSIER_CODE_LAYOUTS: Mapping[str, DossierCodeLayout] = MappingProxyType(
    {
        # 000.00.04.H12-210330-0001
        "qcvn": DossierCodeLayout(agency_form="qcvn", year_digits=2, serial_digits=4),
        # H56.14-240823-0001
        "short": DossierCodeLayout(agency_form="qd20", year_digits=2, serial_digits=4),
        # G09.20-20260609-0092637
        "long": DossierCodeLayout(agency_form="qd20", year_digits=4, serial_digits=7),
    }
)


def parse_dossier_code(code: str) -> DossierCodeParts:
    """Return the parts of a dossier code in any of the three forms; raise CodeError.

    The forms are those of TT 01/2018, of QĐ 20, and of QĐ 20 with a year of four digits.
    """
    blocks = code.split("-")
    if len(blocks) != len(DossierCodeParts._fields):
        raise CodeError(
            Translatable(
                "A dossier code has three blocks parted by '-', agency, date and serial, as "
                "H56.14-240823-0001; this one has {count}",
                count=len(blocks),
            )
        )
    agency, day, serial = blocks
    if not _SERIAL.fullmatch(serial):
        raise CodeError(
            Translatable(
                "The serial, the last block of a dossier code, has four to seven digits: fill up "
                "with zeros on the left, 0001"
            )
        )
    return DossierCodeParts(parse_agency_code(agency), _date_of_block(day), int(serial))


def format_dossier_code(agency: str, on: date, serial: int, layout: DossierCodeLayout) -> str:
    """Return the code of the `serial`-th dossier that the agency receives on that day.

    `serial` counts from 1; a serial beyond the digits of the layout makes the code longer. Raise
    CodeError where the layout or the form cannot hold a part.
    """
    form = QCVN_AGENCY if layout.agency_form == "qcvn" else QD20_AGENCY
    if not form.fullmatch(parse_agency_code(agency)):
        raise CodeError(
            Translatable(
                "The layout asks for an agency code of the {form} form: use the agency's "
                "other code, or another layout",
                form=layout.agency_form,
            )
        )
    if not 1 <= serial <= MAX_SERIAL:
        raise CodeError(
            Translatable("The serial of a dossier lies between 1 and {maximum}", maximum=MAX_SERIAL)
        )
    if on.year // 100 * 100 != _CENTURY:
        raise CodeError(
            Translatable("A dossier code can only hold a date of the years 2000 to 2099")
        )
    day = f"{on:%y%m%d}" if layout.year_digits == 2 else f"{on:%Y%m%d}"  # noqa: PLR2004  the two forms
    return f"{agency}-{day}-{serial:0{layout.serial_digits}d}"


def _date_of_block(block: str) -> date:
    if not _DATE_BLOCK.fullmatch(block):
        raise CodeError(
            Translatable(
                "The date block of a dossier code is a real day of the years 2000 to 2099: write "
                "the day of reception as YYMMDD or YYYYMMDD"
            )
        )
    return date(_CENTURY + int(block[-6:-4]), int(block[-4:-2]), int(block[-2:]))


def _checked_dossier_code(code: str) -> str:
    parse_dossier_code(code)
    return code


DossierCode = Annotated[
    str,
    AfterValidator(_checked_dossier_code),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{DOSSIER_PATTERN}$",
            "examples": ["H56.14-240823-0001", "G09.20-20260609-0092637"],
        }
    ),
]
