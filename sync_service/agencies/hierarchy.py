"""Agencies by their codes: who stands above whom, and what a right covers."""

from collections.abc import Collection
from functools import lru_cache

from shared.codes.agency import canonical_agency_code

# Stands above every agency; no agency code can look like it.
COUNTRY = "VN"

LEVEL = r"^[a-z_]{1,20}$"


@lru_cache(maxsize=65_536)
def lineage(code: str) -> tuple[str, ...]:
    """The agency, all above it and last the country: `H26.10` -> `H26.10`, `H26`, `VN`."""
    groups = canonical_agency_code(code).split(".")
    return (*(".".join(groups[:n]) for n in range(len(groups), 0, -1)), COUNTRY)


def is_under(code: str, above: str) -> bool:
    """Whether `above` is the agency itself, stands above it, or is the country."""
    return above in lineage(code)


def covers(agencies: Collection[str] | None, code: str) -> bool:
    """Whether a right limited to `agencies` (None: to none) reaches the agency `code`."""
    return agencies is None or not _canonical_forms(frozenset(agencies)).isdisjoint(lineage(code))


@lru_cache(maxsize=64)
def _canonical_forms(agencies: frozenset[str]) -> frozenset[str]:
    """Keep the forms of a right's agencies: it is held against each row of a request."""
    return frozenset(map(canonical_agency_code, agencies))


def roots(agencies: Collection[str] | None) -> list[str]:
    """The fewest codes under which all lies that a right covers."""
    if agencies is None:
        return [COUNTRY]
    codes = {canonical_agency_code(agency) for agency in agencies}
    return sorted(code for code in codes if codes.isdisjoint(lineage(code)[1:]))
