"""Define the base of all tables and the statements that features share."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, DateTime, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from shared.database.coverage import is_agency_within

Within = AbstractSet[str] | None


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 -- SQLAlchemy's form


Entity = TypeVar("Entity", bound=Base)


def build_within_condition(code: InstrumentedAttribute[str], within: Within) -> ColumnElement[bool]:
    """Return the condition that an agency is one of `within` or below one; None covers all."""
    if within is None:
        return true()
    return is_agency_within(code, within)


async def add_missing(
    session: AsyncSession, table: type[Entity], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Entity]:
    """Insert the rows whose keys are free, and return them."""
    new = insert(table).on_conflict_do_nothing().returning(table)
    return (await session.scalars(new, rows)).all()
