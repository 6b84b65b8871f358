"""The base class of the service's tables, and helpers for their statements."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, DateTime, String, any_, bindparam
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's form


def any_text(values: Collection[str]) -> ColumnElement[Any]:
    """Return the right side of a comparison with any of the values, as one parameter."""
    return any_(bindparam(None, sorted(values), type_=ARRAY(String)))


def as_literal(value: str | int | date) -> ColumnElement[Any]:
    """Write the value into the statement, so that the database plans for this very value.

    A rare value needs another plan than a frequent one.
    """
    return bindparam(None, value, literal_execute=True)
