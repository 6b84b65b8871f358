"""The SQL form of `shared.codes.coverage`."""

from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, and_, any_, bindparam, case, false, func, or_
from sqlalchemy.orm import InstrumentedAttribute

from shared.codes.agency import (
    AGENCY_PATTERN,
    MAX_AGENCY_CODE_CHARACTERS,
    NUMBER_IN_GROUPS,
    QCVN_AGENCY,
)
from shared.codes.procedure import NATIONAL_PROCEDURE

Column = ColumnElement[Any] | InstrumentedAttribute[Any]

# Zeros stand for the levels below the agency.
_LEVELS_BELOW = "(\\.0+)+$"
# A national code has eight characters; in a localised one a dot and the agency follow.
_NATIONAL_LENGTH = 8
_AGENCY_BEGINS = _NATIONAL_LENGTH + 2
_MAX_CHARACTERS = _NATIONAL_LENGTH + 1 + MAX_AGENCY_CODE_CHARACTERS


def canonical_agency(column: Column) -> ColumnElement[str]:
    """Return the agency of a column that keeps codes as they were written, in the form of QĐ 20."""
    groups = (func.split_part(column, ".", place) for place in (4, 3, 2, 1))
    turned = func.regexp_replace(func.concat_ws(".", *groups), _LEVELS_BELOW, "")
    return case((column.regexp_match(f"^{QCVN_AGENCY.pattern}$"), turned), else_=column)


def canonical_procedure(column: Column) -> ColumnElement[str]:
    """Return the procedure of a column that keeps codes as they were written, in canonical form."""
    national = func.left(column, _NATIONAL_LENGTH + 1, type_=String)
    turned = national + canonical_agency(func.substr(column, _AGENCY_BEGINS, type_=String))
    is_older = column.regexp_match(rf"^{NATIONAL_PROCEDURE.pattern}\.{QCVN_AGENCY.pattern}$")
    return case((is_older, turned), else_=column)


def is_agency_within(column: Column, agencies: AbstractSet[str]) -> ColumnElement[bool]:
    """Return the condition that the agency of the column is one of `agencies` or below one.

    The text of the statement depends on the depths of these agencies, not on their number: the
    code is cut at each depth and looked up in one array, which PostgreSQL hashes.
    """
    depths = sorted({code.count(".") for code in agencies})
    return or_(false(), *(_cut_code(column, depth) == _match_array(agencies) for depth in depths))


def cut_to_national_code(column: Column) -> ColumnElement[str]:
    """Return the national part of a column of procedure codes: `1.001193.H56` -> `1.001193`."""
    return func.left(column, _NATIONAL_LENGTH)


def is_procedure_covered(
    column: Column,
    codes: ColumnElement[Any],
    *,
    national: Column | None = None,
) -> ColumnElement[bool]:
    """Return the condition that the codes name the procedure of the column or its national one.

    `codes` is the right side of the comparison, an `any_`. `national` is the national code of a
    column that holds nothing but codes. Without it, a text that only begins like a localised code
    is compared as a whole.
    """
    if national is not None:
        return or_(national == codes, column == codes)
    national = cut_to_national_code(column)
    return or_(column == codes, and_(national == codes, _is_localised_code(column)))


def _is_localised_code(column: Column) -> ColumnElement[bool]:
    agency = func.substr(column, _AGENCY_BEGINS, type_=String)
    return and_(
        func.length(column) <= _MAX_CHARACTERS,
        column.regexp_match(rf"^{NATIONAL_PROCEDURE.pattern}\.{AGENCY_PATTERN}$"),
        ~agency.regexp_match(NUMBER_IN_GROUPS.pattern),
    )


def _cut_code(column: Column, depth: int) -> ColumnElement[str]:
    if depth == 0:
        return func.split_part(column, ".", 1)
    groups = func.string_to_array(column, ".", type_=ARRAY(String))
    return func.array_to_string(groups[1 : depth + 1], ".")


def _match_array(agencies: AbstractSet[str]) -> Any:
    return any_(bindparam(None, sorted(agencies), type_=ARRAY(String)))
