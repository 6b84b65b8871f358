"""The hierarchy of agencies as their codes show it, and the agencies that a right covers."""

from collections.abc import Collection
from functools import lru_cache

from shared.codes.agency import canonical_agency_code

# The country stands above every agency; no agency code can look like it.
COUNTRY = "VN"

LEVEL = r"^[a-z_]{1,20}$"


@lru_cache(maxsize=65_536)
def self_and_ancestors(code: str) -> tuple[str, ...]:
    """Return the agency, all above it and last the country: `H26.10` -> `H26.10`, `H26`, `VN`."""
    groups = canonical_agency_code(code).split(".")
    return (*(".".join(groups[:n]) for n in range(len(groups), 0, -1)), COUNTRY)


def is_under(code: str, above: str) -> bool:
    """Return whether `above` is the agency itself, stands above it, or is the country."""
    return above in self_and_ancestors(code)


def covers_agency(agencies: Collection[str] | None, code: str) -> bool:
    """Return whether a right reaches the agency `code`; `agencies` None means no limit."""
    return agencies is None or not _list_canonical_codes(frozenset(agencies)).isdisjoint(
        self_and_ancestors(code)
    )


@lru_cache(maxsize=64)
def _list_canonical_codes(agencies: frozenset[str]) -> frozenset[str]:
    """Return the canonical codes, cached because a right is compared with each row of a request."""
    return frozenset(map(canonical_agency_code, agencies))


def top_level_codes(agencies: Collection[str] | None) -> list[str]:
    """Return the fewest codes that have every agency of a right at or below them."""
    if agencies is None:
        return [COUNTRY]
    codes = {canonical_agency_code(agency) for agency in agencies}
    return sorted(code for code in codes if codes.isdisjoint(self_and_ancestors(code)[1:]))
