"""The base of all tables, and the condition by which a query holds back rows beyond a right."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlalchemy import ColumnElement, DateTime, true
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from shared.database.coverage import is_agency_within

Within = AbstractSet[str] | None


def is_within(code: InstrumentedAttribute[str], within: Within) -> ColumnElement[bool]:
    """Each agency stands for itself and all below it; None for all."""
    if within is None:
        return true()
    return is_agency_within(code, within)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's form
