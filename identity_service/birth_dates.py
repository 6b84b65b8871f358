"""Birth dates as far as they are known: the day, the month, or only the year.

They are ISO 8601 text cut at their precision (`1957-03-12`, `1957-03`, `1957`), so two of them
compare at the coarser precision by comparing the beginning of the longer one.
"""

import re
from datetime import date

# What a caller may write; that it is a day of the calendar, no such pattern can say.
_YEAR, _MONTH, _DAY = "(?!0000)[0-9]{4}", "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
BIRTH_DATE = f"{_YEAR}(?:-00(?:-00)?|0000|-{_MONTH}(?:-(?:00|{_DAY}))?|{_MONTH}(?:00|{_DAY}))?"
_WRITTEN = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?|(\d{2})(\d{2}))?", re.ASCII)


def parse_birth_date(text: str) -> str:
    """A birth date as callers write it -> ISO 8601 at its own precision.

    Accepts `yyyy`, `yyyy-mm`, `yyyy-mm-dd` and `yyyymmdd`; an unknown month or day may be `00`, as
    old records have it. ValueError says what is wrong and does not repeat the date.
    """
    parts = _WRITTEN.fullmatch(text)
    if parts is None:
        raise ValueError("a birth date is yyyy, yyyy-mm, yyyy-mm-dd or yyyymmdd")
    year, month, day = parts[1], parts[2] or parts[4] or "00", parts[3] or parts[5] or "00"
    if month == "00" and day != "00":
        raise ValueError("a birth date with a day has a month")
    try:
        date(int(year), int(month) or 1, int(day) or 1)
    except ValueError:
        raise ValueError("a birth date is a day of the calendar") from None
    return "-".join(part for part in (year, month, day) if part != "00")


def same_birth_date(one: str, other: str) -> bool:
    """Equal at the coarser of the two precisions."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]
