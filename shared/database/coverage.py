"""The SQL form of `shared.codes.coverage.is_within`."""

from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, any_, bindparam, false, func, or_
from sqlalchemy.orm import InstrumentedAttribute


def is_agency_within(
    column: ColumnElement[Any] | InstrumentedAttribute[Any], agencies: AbstractSet[str]
) -> ColumnElement[bool]:
    """Return the condition that the agency of the column is one of `agencies` or below one.

    The text of the statement depends on the depths of these agencies, not on their number: the
    code is cut at each depth and looked up in one array, which PostgreSQL hashes.
    """
    depths = sorted({code.count(".") for code in agencies})
    return or_(false(), *(_cut_code(column, depth) == _match_array(agencies) for depth in depths))


def _cut_code(
    column: ColumnElement[Any] | InstrumentedAttribute[Any], depth: int
) -> ColumnElement[str]:
    if depth == 0:
        return func.split_part(column, ".", 1)
    groups = func.string_to_array(column, ".", type_=ARRAY(String))
    return func.array_to_string(groups[1 : depth + 1], ".")


def _match_array(agencies: AbstractSet[str]) -> Any:
    return any_(bindparam(None, sorted(agencies), type_=ARRAY(String)))
