"""The two written forms of one agency code."""

from functools import lru_cache

from shared.codes.agency import parse_agency_code


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
