"""Statements about agencies that the statements of other features contain.

A list of dossiers or a ranking is one statement, so that the database plans it as a whole; the
table of agencies itself stays in this feature.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cache
from typing import Final

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.dialects.postgresql import Insert

from shared.database.bulk import build_insert, column_arrays
from sync_service.agencies.hierarchy import COUNTRY, list_up_to_country
from sync_service.agencies.models import Agency
from sync_service.database import as_literal

_UNNAMED: Final = ("code", "above", "version")


def select_level(level: str) -> Select[str]:
    """Return the codes of all agencies of a level."""
    return select(Agency.code).where(Agency.level == level)


def select_below(agency: str, level: str | None) -> Select[str]:
    """Return the codes of the agencies of a level among the agency and all below it.

    Without a level these are the agencies directly below.
    """
    if level is None:
        return select(Agency.code).where(Agency.above == agency)
    conditions: list[ColumnElement[bool]] = [Agency.level == as_literal(level)]
    if agency != COUNTRY:
        below = Agency.code.startswith(agency + ".", autoescape=True)
        conditions.append(or_(Agency.code == agency, below))
    return select(Agency.code).where(*conditions)


def select_closed(today: date) -> Select[str]:
    """Return the codes of the agencies that were dissolved or merged before today."""
    return select(Agency.code).where(Agency.valid_to < today)


@cache
def build_unnamed_insert() -> Insert:
    """Return an INSERT of the agencies of `make_unnamed_columns` that are not yet known."""
    return build_insert(Agency, *_UNNAMED).on_conflict_do_nothing()


def make_unnamed_columns(codes: Iterable[str]) -> dict[str, Sequence[object]]:
    """Return the parameters of `build_unnamed_insert`; any version of the registry is newer."""
    return column_arrays(
        Agency, _UNNAMED, ((code, list_up_to_country(code)[1], 0) for code in sorted(codes))
    )
