"""Many rows as one statement: the columns travel as arrays, the database unnests them.

A statement is made once for its table and columns: to make it costs more than to send it.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, FromClause, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import Insert, insert

from sync_service.database import Base, table


@cache
def given(entity: type[Base], *names: str) -> FromClause:
    """Rows of `columns`, as a table with the types of `entity`'s columns."""
    into = table(entity)
    arrays: list[ColumnElement[Any]] = [
        bindparam(f"{into.name}_{name}", type_=ARRAY(into.c[name].type)) for name in names
    ]
    typed = [column(name, into.c[name].type) for name in names]
    alias = f"given_{into.name}"
    return func.unnest(*arrays).table_valued(*typed).render_derived(name=alias)


def columns(
    entity: type[Base], names: Sequence[str], rows: Iterable[Sequence[object]]
) -> dict[str, Sequence[object]]:
    """The values for `given`."""
    arrays = list(zip(*rows, strict=True)) or [()] * len(names)
    return {
        f"{table(entity).name}_{name}": array for name, array in zip(names, arrays, strict=True)
    }


def insertion(entity: type[Base], *names: str) -> Insert:
    """To be completed with what happens on a conflict."""
    source = given(entity, *names)
    return insert(table(entity)).from_select(list(names), select(*source.c))


def upsert(entity: type[Base], key: str, *names: str) -> Insert:
    """Rows of a known `key` take over all the other values."""
    statement = insertion(entity, *names)
    others = {name: statement.excluded[name] for name in names if name != key}
    return statement.on_conflict_do_update(index_elements=[key], set_=others)
