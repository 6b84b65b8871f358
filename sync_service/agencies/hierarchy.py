"""The hierarchy of agencies below the country."""

from collections.abc import Collection
from functools import lru_cache

from shared.codes.agency import canonical_agency_code
from shared.codes.coverage import canonical_codes, list_self_and_above

# The country stands above every agency; no agency code can look like it.
COUNTRY = "VN"

LEVEL = r"^[a-z_]{1,20}$"


@lru_cache(maxsize=65_536)
def list_up_to_country(code: str) -> tuple[str, ...]:
    """Return the agency, all above it and last the country: `H26.10` -> `H26.10`, `H26`, `VN`.

    Raise CodeError for another text, so that no row of the view names an agency that cannot be.
    """
    return (*list_self_and_above(canonical_agency_code(code)), COUNTRY)


def top_level_codes(agencies: Collection[str] | None) -> list[str]:
    """Return the fewest codes that have every agency of a right at or below them."""
    if agencies is None:
        return [COUNTRY]
    codes = canonical_codes(agencies)
    return sorted(code for code in codes if codes.isdisjoint(list_self_and_above(code)[1:]))
