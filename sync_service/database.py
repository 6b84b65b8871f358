"""The base of all tables of the service."""

from datetime import datetime

from sqlalchemy import DateTime, Table
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's form


def table(entity: type[Base]) -> Table:
    found = entity.__table__
    assert isinstance(found, Table)
    return found
