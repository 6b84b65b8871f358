"""Decide whether a right covers an agency or a procedure."""

from collections.abc import Set as AbstractSet

from shared.codes.agency import is_agency_code


def is_within(code: str, codes: AbstractSet[str]) -> bool:
    """Is an agency one of them or below one? `H26` covers `H26.14`, not the other way round."""
    return not codes.isdisjoint(list_self_and_above(code))


def list_self_and_above(code: str) -> tuple[str, ...]:
    """Return the code of an agency and those above it: `H26.14` -> `H26.14`, `H26`."""
    return (code, *(code[:dot] for dot, sign in enumerate(code) if sign == "."))


def list_covering_codes(code: str) -> tuple[str, ...]:
    """Return the procedure's own code and, if it is localised, the national one."""
    # A code that only begins like a localised one is reached by itself alone.
    national, agency = code[:8], code[9:]
    is_localised = code[8:9] == "." and is_agency_code(agency)
    return (code, national) if is_localised else (code,)
