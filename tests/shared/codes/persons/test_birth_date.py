"""Birth dates: the schema and the parser take the same texts."""

import re
from itertools import product

from pydantic import TypeAdapter

from shared.codes.persons.birth_date import BirthDate, parse_birth_date

PATTERN = re.compile(TypeAdapter(BirthDate).json_schema()["pattern"])
YEARS = [*range(1847, 1861), *range(1896, 1906), *range(1996, 2006), 2024, 2096, 2100, 2199]
PARTS = [f"{number:02}" for number in range(34)]


def is_parsed(text: str) -> bool:
    try:
        parse_birth_date(text)
    except ValueError:
        return False
    return True


def test_pattern_has_each_day_of_the_calendar_and_no_other() -> None:
    forms = [
        f"{dash}{month}{dash}{day}" for dash in ("-", "") for month, day in product(PARTS, PARTS)
    ]
    forms += [
        "",
        *(f"-{month}" for month in PARTS),
        *PARTS,
        "-1",
        "-1-1",
        "-01-1",
        "-0101",
        "01-01",
    ]
    written = [f"{year}{form}" for year in YEARS for form in forms]
    assert [text for text in written if (PATTERN.search(text) is not None) != is_parsed(text)] == []
