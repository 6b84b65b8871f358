"""Define the base class of the tables, and the statement that keeps the newest version of a row."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The declarative base of all tables of the gateway."""


async def upsert_newer_rows(
    session: AsyncSession, model: type[Base], key: str, facts: Sequence[Mapping[str, Any]]
) -> None:
    """Insert the newest version of each key, or update the row that is older, in one statement."""
    names = [column.name for column in model.__table__.columns]
    by_version = sorted(facts, key=lambda fact: fact["version"])
    newest = {fact[key]: {name: fact[name] for name in names} for fact in by_version}
    # Sorted keys keep two batches from a deadlock.
    statement = insert(model).values([newest[value] for value in sorted(newest)])
    new = {name: statement.excluded[name] for name in names if name != key}
    older = model.__table__.c.version < statement.excluded.version
    await session.execute(
        statement.on_conflict_do_update(index_elements=[key], set_=new, where=older)
    )
