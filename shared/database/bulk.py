"""Change many rows in few statements.

The columns of many rows travel as arrays, and the database unnests them into rows. A statement is
made once for its table and columns, because making it costs more than sending it.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Table,
    bindparam,
    column,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

SLICE_ROWS = 10_000


async def delete_in_slices(
    session: AsyncSession, table: type[DeclarativeBase], where: str, **values: object
) -> None:
    """Delete all rows that match, in statements that stay far below `STATEMENT_S` each.

    `values` are those of the parameters in `where`.
    """
    name = table.__tablename__
    statement = text(
        f"DELETE FROM {name} WHERE ctid ="  # noqa: S608 -- both texts are of this code
        f" ANY(ARRAY(SELECT ctid FROM {name} WHERE {where} LIMIT {SLICE_ROWS}))"
    )
    connection = await session.connection()
    while (await connection.execute(statement, values)).rowcount == SLICE_ROWS:
        pass


def get_table(entity: type[DeclarativeBase]) -> Table:
    """Return the table of a mapped class as the type that statements need."""
    table = entity.__table__
    assert isinstance(table, Table)
    return table


@cache
def unnested_rows(entity: type[DeclarativeBase], *names: str) -> FromClause:
    """Return the rows of `column_arrays` as a table whose columns have the types of `entity`."""
    table = get_table(entity)
    arrays: list[ColumnElement[Any]] = [
        bindparam(f"{table.name}_{name}", type_=ARRAY(table.c[name].type)) for name in names
    ]
    columns = [column(name, table.c[name].type) for name in names]
    alias = f"given_{table.name}"
    return func.unnest(*arrays).table_valued(*columns).render_derived(name=alias)


def column_arrays(
    entity: type[DeclarativeBase], names: Sequence[str], rows: Iterable[Sequence[object]]
) -> dict[str, Sequence[object]]:
    """Return the parameters of `unnested_rows`: one array for each named column of the rows."""
    arrays = list(zip(*rows, strict=True)) or [()] * len(names)
    table = get_table(entity).name
    return {f"{table}_{name}": array for name, array in zip(names, arrays, strict=True)}


def build_insert(entity: type[DeclarativeBase], *names: str) -> Insert:
    """Return an INSERT of `unnested_rows`; the caller adds the action on a conflict."""
    rows = unnested_rows(entity, *names)
    return insert(get_table(entity)).from_select(list(names), select(*rows.c))


def build_upsert(entity: type[DeclarativeBase], key: str, *names: str) -> Insert:
    """Return an INSERT that overwrites the other columns of the rows whose `key` is stored."""
    statement = build_insert(entity, *names)
    others = {name: statement.excluded[name] for name in names if name != key}
    return statement.on_conflict_do_update(index_elements=[key], set_=others)


async def upsert_if_newer(
    session: AsyncSession,
    entity: type[DeclarativeBase],
    key: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    or_same: bool = False,
    keep_greatest: str | None = None,
    unset: str | None = None,
) -> None:
    """Insert each row, or overwrite the stored row of its `key` that has an older `version`.

    `rows` may hold several versions of one row, in any order, and members that are no columns. With
    `or_same` a row also overwrites its own version. The column `keep_greatest` keeps the greatest
    value that any accepted row had. A stored row whose column `unset` is NULL is older than any.
    """
    names = [column.name for column in get_table(entity).columns]
    # All transactions write in one order of keys, so that no two of them deadlock.
    values = sorted(({name: row[name] for name in names} for row in rows), key=lambda row: row[key])
    if values:
        await session.execute(
            _build_newer_upsert(entity, key, or_same, keep_greatest, unset), values
        )


@cache
def _build_newer_upsert(
    entity: type[DeclarativeBase],
    key: str,
    or_same: bool,
    keep_greatest: str | None,
    unset: str | None,
) -> Insert:
    table = get_table(entity)
    statement = insert(table)
    new = statement.excluded
    changes: dict[str, ColumnElement[Any]] = {
        column.name: new[column.name] for column in table.columns if column.name != key
    }
    if keep_greatest:
        changes[keep_greatest] = func.greatest(table.c[keep_greatest], new[keep_greatest])
    is_newer = table.c.version <= new.version if or_same else table.c.version < new.version
    if unset:
        is_newer |= table.c[unset].is_(None)
    return statement.on_conflict_do_update(index_elements=[key], set_=changes, where=is_newer)
