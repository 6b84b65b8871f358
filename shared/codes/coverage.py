"""Decide whether a right covers an agency or a procedure, each in either of its written forms.

`shared.database.coverage` is the SQL form of the same rule.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache

from shared.codes.agency import CodeError, canonical_agency_code, qcvn_agency_code
from shared.codes.procedure import canonical_procedure_code, is_localised_code

# More than any agency or procedure has versions.
_OLDER_FORM_RANK = 1_000_000_000


@lru_cache(maxsize=65_536)
def canonical_code(code: str) -> str:
    """Return the code of an agency or a procedure with its agency in the form of QĐ 20.

    A text that is neither is returned as it is.
    """
    canonicalise = canonical_procedure_code if code[1:2] == "." else canonical_agency_code
    try:
        return canonicalise(code)
    except CodeError:
        return code


def canonical_codes(codes: Iterable[str]) -> frozenset[str]:
    """Return the codes of a right, as the functions below and the SQL form expect them."""
    return frozenset(map(canonical_code, codes))


def rank_version(code: str, version: int) -> int:
    """Return a number by which the versions of both forms of a code are compared.

    The versions of each form were counted apart: each of the older form comes before all of the
    newer one, which alone is still published.
    """
    return version if canonical_code(code) == code else version - _OLDER_FORM_RANK


def make_version_columns(code: str, version: int) -> dict[str, str | int]:
    """Return the columns `code` and `version` of a row that is stored for both forms of a code."""
    return {"code": canonical_code(code), "version": rank_version(code, version)}


def list_written_procedure_codes(codes: Iterable[str]) -> list[str]:
    """Return canonical codes of procedures and the other form of each, in order.

    Columns that keep procedures as they were written are compared with these.
    """
    forms = set(codes)
    for code in codes:
        # A text that only looks like a code has one form.
        if is_localised_code(code) and (qcvn := qcvn_agency_code(code[9:])) is not None:
            forms.add(f"{code[:8]}.{qcvn}")
    return sorted(forms)


def list_written_agency_codes(code: str) -> list[str]:
    """Return the code of an agency in the form of QĐ 20, and in that of QCVN 102 if it has one."""
    code = canonical_code(code)
    qcvn = qcvn_agency_code(code)
    return [code] if qcvn is None else [code, qcvn]


def is_within(code: str, codes: AbstractSet[str]) -> bool:
    """Return whether an agency is one of the canonical codes or below one: `H26` covers `H26.14`.

    It is not covered the other way round.
    """
    return not codes.isdisjoint(list_self_and_above(code))


def list_self_and_above(code: str) -> tuple[str, ...]:
    """Return the code of an agency and those above it, the nearest first: `H26.14`, `H26`."""
    code = canonical_code(code)
    dots = [place for place, sign in enumerate(code) if sign == "."]
    return (code, *(code[:dot] for dot in reversed(dots)))


def list_covering_codes(code: str) -> tuple[str, ...]:
    """Return the procedure's own code and, if it is localised, the national one."""
    code = canonical_code(code)
    # A text that only begins like a localised code is covered by itself alone.
    return (code, code[:8]) if is_localised_code(code) else (code,)
