"""Birth dates as far as they are known: the day, the month, or only the year.

They are ISO 8601 text cut at their precision (`1957-03-12`, `1957-03`, `1957`), so two of them
compare at the coarser precision by comparing the beginning of the longer one. Verification and
filing share this grammar, so that a date which can be verified can be filed.
"""

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.codes.time import (
    DAY_PATTERN,
    FIRST_DAY,
    LEAP_YEAR_PATTERN,
    YEAR_PATTERN,
    build_day_pattern,
)
from shared.texts.translatable import Translatable

EARLIEST_YEAR = FIRST_DAY.year
_MONTH = "(?:0[1-9]|1[0-2])"
# No pattern can say that a day is not in the future.
PATTERN = (
    f"{YEAR_PATTERN}(?:-00(?:-00)?|0000|-{_MONTH}(?:-00)?|{_MONTH}00)?|{DAY_PATTERN}"
    f"|{build_day_pattern(YEAR_PATTERN, LEAP_YEAR_PATTERN, dash='')}"
)
_FORM = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?|([0-9]{2})([0-9]{2}))?")


def parse_birth_date(text: str) -> str:
    """Return the birth date in ISO 8601 at its own precision.

    Accept `yyyy`, `yyyy-mm`, `yyyy-mm-dd` and `yyyymmdd` from 1850 on; an unknown month or day may
    be `00`, as in old records. Raise ValueError, whose text names the fault without repeating the
    date.
    """
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise ValueError(
            Translatable("write a birth date as yyyy, yyyy-mm, yyyy-mm-dd or yyyymmdd")
        )
    year, month, day = parts[1], parts[2] or parts[4] or "00", parts[3] or parts[5] or "00"
    if month == "00" and day != "00":
        raise ValueError(Translatable("a birth date with a day has a month"))
    try:
        date(int(year), int(month) or 1, int(day) or 1)
    except ValueError:
        raise ValueError(Translatable("a birth date is a day of the calendar")) from None
    if int(year) < EARLIEST_YEAR:
        raise ValueError(Translatable("a birth date lies in {year} or later", year=EARLIEST_YEAR))
    return "-".join(part for part in (year, month, day) if part != "00")


def agree_at_coarser_precision(one: str, other: str) -> bool:
    """Return whether two parsed birth dates are equal at the coarser of their precisions."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


BirthDate = Annotated[
    str,
    AfterValidator(parse_birth_date),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(?:{PATTERN})$",
            "examples": ["1990-05-14", "1957"],
            "description": "yyyy, yyyy-mm, yyyy-mm-dd or yyyymmdd, from 1850 until today",
        }
    ),
]
