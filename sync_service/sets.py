"""Many rows as one statement: the columns travel as arrays, the database unnests them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import Insert, insert

from sync_service.models import Base, table


def given(entity: type[Base], rows: Sequence[Mapping[str, Any]]) -> FromClause:
    """`rows`, which all have the same keys, as a table with the types of `entity`'s columns."""
    columns = table(entity).c
    names = list(rows[0])
    arrays: list[ColumnElement[Any]] = [
        bindparam(None, [row[name] for row in rows], type_=ARRAY(columns[name].type))
        for name in names
    ]
    typed = [column(name, columns[name].type) for name in names]
    return func.unnest(*arrays).table_valued(*typed).render_derived(name="given")


def insertion(entity: type[Base], rows: Sequence[Mapping[str, Any]]) -> Insert:
    """To be completed with what happens on a conflict."""
    source = given(entity, rows)
    return insert(entity).from_select(list(source.c.keys()), select(*source.c))


def upsert(entity: type[Base], rows: Sequence[Mapping[str, Any]], *key: str) -> Insert:
    """Rows of a known `key` take over all the other values."""
    statement = insertion(entity, rows)
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=others)
