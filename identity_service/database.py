"""The condition by which a query holds rows back that a right does not cover."""

from collections.abc import Set as AbstractSet

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute

from shared.database.coverage import is_agency_within

Within = AbstractSet[str] | None


def is_within(code: InstrumentedAttribute[str], within: Within) -> ColumnElement[bool]:
    """Each agency stands for itself and all below it; None for all."""
    if within is None:
        return true()
    return is_agency_within(code, within)
