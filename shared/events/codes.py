"""The codes of the published language: agencies, procedures, dossiers, channels and statuses.

Layouts after QCVN 102:2016, QĐ 20/2020/QĐ-TTg and TT 01/2018/TT-VPCP. An error never repeats the
value it was given: what stands in the wrong field may be somebody's personal number.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from shared.times import LEAP_OF_2000, day_pattern

LONGEST_AGENCY_CODE = 35  # characters, QĐ 20/2020/QĐ-TTg
_MAX_LEVELS = 3  # below the first, of the agencies that there are
LARGEST_SERIAL = 9_999_999
_CENTURY = 2000

# [0-9], not \d: other scripts have digits too, and a code is compared byte by byte.
_QCVN_AGENCY = re.compile(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}")
# Eight levels below the first: what LONGEST_AGENCY_CODE leaves room for.
_QD20_AGENCY = re.compile(r"[A-Z][0-9]{2}(?:\.[0-9]{1,3}){0,8}")
# A dot, and twelve digits in groups: nobody has an agency so deep, and a person has such a number.
_NUMBER_IN_GROUPS = re.compile(r"\.(?:[0-9]\.?){11}[0-9](?![0-9])")
# The published catalogue of 2026 holds 5. and 6. beside 1., 2. and 3.
_NATIONAL_PROCEDURE = re.compile(r"[1-9]\.[0-9]{6}")
_DATE_BLOCK = re.compile("(?:20)?" + day_pattern("[0-9]{2}", LEAP_OF_2000, dash=""))
_SERIAL = re.compile(r"[0-9]{4,7}")

AGENCY_PATTERN = rf"(?:{_QCVN_AGENCY.pattern}|{_QD20_AGENCY.pattern})"
PROCEDURE_PATTERN = rf"{_NATIONAL_PROCEDURE.pattern}(?:\.{AGENCY_PATTERN})?"
DOSSIER_PATTERN = rf"{AGENCY_PATTERN}-(?:{_DATE_BLOCK.pattern})-{_SERIAL.pattern}"


class CodeError(ValueError):
    """The text is not such a code; the message says what is wrong and how to mend it."""


class DossierCodeParts(NamedTuple):
    agency: str
    date: date
    serial: int


class DossierCodeLayout(BaseModel):
    """How newly issued dossier codes look; the digits of TT 03/2025/TT-VPCP are not published."""

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


def parse_agency_code(code: str) -> str:
    """The code itself when it is of the QCVN (`000.00.04.G18`) or QĐ 20 (`H56.14`) form."""
    if len(code) > LONGEST_AGENCY_CODE:
        raise CodeError(
            f"An agency code has at most {LONGEST_AGENCY_CODE} characters, this one has "
            f"{len(code)}: give the agency's code, not its name or a whole dossier code"
        )
    if not (_QCVN_AGENCY.fullmatch(code) or _QD20_AGENCY.fullmatch(code)):
        raise CodeError(
            "Not an agency code: write it as 000.00.04.G18 (QCVN 102) or as a capital letter, two "
            "digits and dotted groups of one to three digits, H56.14 (QĐ 20), without spaces"
        )
    if holds_number_in_groups(code):
        raise CodeError(
            "Neighbouring groups of an agency code have twelve digits together, which may be a "
            "person's number: give the agency's code"
        )
    return code


def holds_number_in_groups(code: str) -> bool:
    """Return whether the dotted groups of a code have the digits of a personal number together."""
    # Three groups of an agency have nine digits.
    return code.count(".") > _MAX_LEVELS and _NUMBER_IN_GROUPS.search(code) is not None


def parse_procedure_code(code: str) -> str:
    """The code itself: national (`1.001193`) or localised (`1.001193.H56`)."""
    national, agency = code[:8], code[8:]
    if not _NATIONAL_PROCEDURE.fullmatch(national):
        raise CodeError(
            "Not a procedure code: write a digit from 1 to 9, a dot and six digits, as 1.001193"
        )
    if agency and not agency.startswith("."):
        raise CodeError("A dot parts the national procedure code from the agency, as 1.001193.H56")
    if agency:
        parse_agency_code(agency[1:])
    return code


def national_code(code: str) -> str:
    """The national procedure of a procedure code: `1.001193.000.00.00.H56` -> `1.001193`."""
    return parse_procedure_code(code)[:8]


def is_within(code: str, codes: AbstractSet[str]) -> bool:
    """Is an agency one of them or below one? `H26` covers `H26.14`, not the other way round."""
    return not codes.isdisjoint(self_and_above(code))


def self_and_above(code: str) -> tuple[str, ...]:
    """Return the code of an agency and those above it: `H26.14` -> `H26.14`, `H26`."""
    return (code, *(code[:dot] for dot, sign in enumerate(code) if sign == "."))


def covering_codes(code: str) -> tuple[str, ...]:
    """Return the procedure's own code and, if it is localised, the national one."""
    # A code that only begins like a localised one is reached by itself alone.
    national, agency = code[:8], code[9:]
    is_localised = code[8:9] == "." and _is_agency_code(agency)
    return (code, national) if is_localised else (code,)


def _is_agency_code(code: str) -> bool:
    try:
        return bool(parse_agency_code(code))
    except CodeError:
        return False


def parse_dossier_code(code: str) -> DossierCodeParts:
    """The parts of a dossier code of any of the three forms (TT 01/2018, QĐ 20, long date)."""
    blocks = code.split("-")
    if len(blocks) != len(DossierCodeParts._fields):
        raise CodeError(
            "A dossier code has three blocks parted by '-', agency, date and serial, as "
            f"H56.14-240823-0001; this one has {len(blocks)}"
        )
    agency, day, serial = blocks
    if not _SERIAL.fullmatch(serial):
        raise CodeError(
            "The serial, the last block of a dossier code, has four to seven digits: fill up with "
            "zeros on the left, 0001"
        )
    return DossierCodeParts(parse_agency_code(agency), _date_of_block(day), int(serial))


def format_dossier_code(agency: str, on: date, serial: int, layout: DossierCodeLayout) -> str:
    """The code of the `serial`-th dossier that the agency receives on that day.

    `serial` counts from 1 and may outgrow the digits of the layout: it then takes more room.
    """
    form = _QCVN_AGENCY if layout.agency_form == "qcvn" else _QD20_AGENCY
    if not form.fullmatch(parse_agency_code(agency)):
        raise CodeError(
            f"The layout asks for an agency code of the {layout.agency_form} form: use the "
            "agency's other code, or another layout"
        )
    if not 1 <= serial <= LARGEST_SERIAL:
        raise CodeError(f"The serial of a dossier lies between 1 and {LARGEST_SERIAL}")
    if on.year // 100 * 100 != _CENTURY:
        raise CodeError("A dossier code can only hold a date of the years 2000 to 2099")
    day = f"{on:%y%m%d}" if layout.year_digits == 2 else f"{on:%Y%m%d}"  # noqa: PLR2004  the two forms
    return f"{agency}-{day}-{serial:0{layout.serial_digits}d}"


def _date_of_block(block: str) -> date:
    if not _DATE_BLOCK.fullmatch(block):
        raise CodeError(
            "The date block of a dossier code is a real day of the years 2000 to 2099: write the "
            "day of reception as YYMMDD or YYYYMMDD"
        )
    return date(_CENTURY + int(block[-6:-4]), int(block[-4:-2]), int(block[-2:]))


def _checked_dossier_code(code: str) -> str:
    parse_dossier_code(code)
    return code


AgencyCode = Annotated[
    str,
    AfterValidator(parse_agency_code),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": LONGEST_AGENCY_CODE,
            "pattern": f"^{AGENCY_PATTERN}$",
            "examples": ["H56.14", "000.00.04.G18"],
        }
    ),
]

ProcedureCode = Annotated[
    str,
    AfterValidator(parse_procedure_code),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{PROCEDURE_PATTERN}$",
            "examples": ["1.001193", "2.002621.H56"],
        }
    ),
]

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


class Channel(IntEnum):
    """KenhThucHien: by which way the dossier came."""

    DESK = 1
    ONLINE = 2
    POST = 3

    @property
    def slug(self) -> str:
        return self.name.lower()

    @property
    def label(self) -> str:
        """The name as published."""
        return _CHANNEL_LABELS[self]


class DossierStatus(IntEnum):
    """TrangThaiHoSo: the ten statuses of the national portal."""

    REGISTERED = 1
    RECEIVED = 2
    NOT_RECEIVED = 3
    PROCESSING = 4
    SUPPLEMENT_REQUESTED = 5
    PAYMENT_REQUIRED = 6
    WITHDRAWN = 7
    STOPPED = 8
    PROCESSED = 9
    RETURNED = 10

    @property
    def slug(self) -> str:
        return self.name.lower()

    @property
    def label(self) -> str:
        """The name as published."""
        return _STATUS_LABELS[self]


# Nothing more is to be done; PROCESSED only waits for the result to be fetched.
ENDED = frozenset(
    {
        DossierStatus.NOT_RECEIVED,
        DossierStatus.WITHDRAWN,
        DossierStatus.STOPPED,
        DossierStatus.PROCESSED,
        DossierStatus.RETURNED,
    }
)

_CHANNEL_LABELS = {
    Channel.DESK: "Trực tiếp",
    Channel.ONLINE: "Trực tuyến",
    Channel.POST: "Dịch vụ bưu chính",
}

_STATUS_LABELS = {
    DossierStatus.REGISTERED: "Mới đăng ký",
    DossierStatus.RECEIVED: "Được tiếp nhận",
    DossierStatus.NOT_RECEIVED: "Không được tiếp nhận",
    DossierStatus.PROCESSING: "Đang xử lý",
    DossierStatus.SUPPLEMENT_REQUESTED: "Yêu cầu bổ sung giấy tờ",
    DossierStatus.PAYMENT_REQUIRED: "Yêu cầu thực hiện nghĩa vụ tài chính",
    DossierStatus.WITHDRAWN: "Công dân yêu cầu rút hồ sơ",
    DossierStatus.STOPPED: "Dừng xử lý",
    DossierStatus.PROCESSED: "Đã xử lý xong",
    DossierStatus.RETURNED: "Đã trả kết quả",
}
