"""The SQL form of `shared.codes.coverage`."""

from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, and_, any_, bindparam, case, false, func, or_
from sqlalchemy.orm import InstrumentedAttribute

from shared.codes.agency import QCVN_AGENCY

# Zeros stand for the levels below the agency.
_LEVELS_BELOW = "(\\.0+)+$"
# A national code has eight characters; in a localised one a dot and the agency follow.
_NATIONAL_LENGTH = 8


def canonical_agency(
    column: ColumnElement[Any] | InstrumentedAttribute[Any],
) -> ColumnElement[str]:
    """Return the agency of a column that keeps codes as they were written, in the form of QĐ 20."""
    groups = (func.split_part(column, ".", place) for place in (4, 3, 2, 1))
    turned = func.regexp_replace(func.concat_ws(".", *groups), _LEVELS_BELOW, "")
    return case((column.regexp_match(f"^{QCVN_AGENCY.pattern}$"), turned), else_=column)


def is_agency_within(
    column: ColumnElement[Any] | InstrumentedAttribute[Any], agencies: AbstractSet[str]
) -> ColumnElement[bool]:
    """Return the condition that the agency of the column is one of `agencies` or below one.

    The text of the statement depends on the depths of these agencies, not on their number: the
    code is cut at each depth and looked up in one array, which PostgreSQL hashes.
    """
    depths = sorted({code.count(".") for code in agencies})
    return or_(false(), *(_cut_code(column, depth) == _match_array(agencies) for depth in depths))


def cut_to_national_code(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Return the national part of a column of procedure codes: `1.001193.H56` -> `1.001193`."""
    return func.left(column, _NATIONAL_LENGTH)


def is_procedure_covered(
    column: InstrumentedAttribute[Any],
    codes: ColumnElement[Any],
    *,
    national: InstrumentedAttribute[str] | None = None,
) -> ColumnElement[bool]:
    """Return the condition that the codes name the procedure of the column or its national one.

    `codes` is the right side of the comparison, an `any_`. A column that may hold another text than
    a code is compared by the whole text. `national` is the column of the national code, if the
    table has one.
    """
    if national is not None:
        return or_(national == codes, column == codes)
    is_localised = func.substr(column, _NATIONAL_LENGTH + 1, 1) == "."
    return or_(column == codes, and_(is_localised, cut_to_national_code(column) == codes))


def _cut_code(
    column: ColumnElement[Any] | InstrumentedAttribute[Any], depth: int
) -> ColumnElement[str]:
    if depth == 0:
        return func.split_part(column, ".", 1)
    groups = func.string_to_array(column, ".", type_=ARRAY(String))
    return func.array_to_string(groups[1 : depth + 1], ".")


def _match_array(agencies: AbstractSet[str]) -> Any:
    return any_(bindparam(None, sorted(agencies), type_=ARRAY(String)))
