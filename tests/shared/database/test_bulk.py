"""The newest version of a row holds, in whichever order its versions arrive."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.bulk import get_table, upsert_if_newer
from shared.database.session import SessionFactory
from tests.support.statements import statements


class TableBase(DeclarativeBase):
    """Of the table of these tests alone."""


class Fact(TableBase):
    __tablename__ = "fact"

    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    size: Mapped[int | None]


class Row(NamedTuple):
    code: str
    version: int
    name: str
    size: int | None


OLD = Row("a", 1, "old", 9)
NEW = Row("a", 2, "new", None)
SAME = Row("a", 2, "same", 5)
OTHER = Row("b", 1, "other", None)


@pytest.fixture
async def facts(sessions: SessionFactory) -> SessionFactory:
    async with sessions.begin() as session:
        await (await session.connection()).run_sync(TableBase.metadata.create_all)
    return sessions


async def store_batches(
    facts: SessionFactory,
    batches: Iterable[Sequence[Row]],
    *,
    or_same: bool = False,
    keep_greatest: str | None = None,
    unset: str | None = None,
) -> set[Row]:
    table = get_table(Fact)
    async with facts.begin() as session:
        await session.execute(delete(table))
        for batch in batches:
            rows = [row._asdict() | {"at": "no column of the table"} for row in batch]
            await upsert_if_newer(
                session,
                Fact,
                "code",
                rows,
                or_same=or_same,
                keep_greatest=keep_greatest,
                unset=unset,
            )
        return {Row(*row) for row in await session.execute(select(table))}


@pytest.mark.parametrize("order", list(permutations((OLD, NEW, OTHER))))
async def test_newest_version_holds_in_any_order_and_number_of_batches(
    facts: SessionFactory, order: Sequence[Row]
) -> None:
    assert await store_batches(facts, [order]) == {NEW, OTHER}
    assert await store_batches(facts, [[row] for row in order]) == {NEW, OTHER}


async def test_same_version_is_overwritten_only_where_the_caller_says_so(
    facts: SessionFactory,
) -> None:
    for batches in ([[NEW, SAME]], [[NEW], [SAME]]):
        assert await store_batches(facts, batches) == {NEW}
        assert await store_batches(facts, batches, or_same=True) == {SAME}


async def test_greatest_value_of_a_column_stays(facts: SessionFactory) -> None:
    for batches in ([[OLD, NEW]], [[OLD], [NEW]]):
        [row] = await store_batches(facts, batches, keep_greatest="size")
        assert row == NEW._replace(size=9)


async def test_row_whose_column_is_unset_is_older_than_any(facts: SessionFactory) -> None:
    for stored in (NEW, NEW._replace(size=1)):
        [row] = await store_batches(facts, [[stored], [OLD]], unset="size")
        assert row == (OLD if stored.size is None else stored)


async def test_no_rows_are_no_statement(facts: SessionFactory) -> None:
    with statements(facts) as seen:
        async with facts() as session:
            await upsert_if_newer(session, Fact, "code", [])
    assert seen == []
