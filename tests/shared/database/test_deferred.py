"""Deferred writes of a transaction are written once, whole, or not at all."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.deferred import (
    DeferredWriteError,
    DeferredWrites,
    defer_write,
    flush_deferred_writes,
)
from shared.database.session import SessionFactory
from tests.support.statements import statements

ADD = "INSERT INTO effect SELECT unnest(CAST(:effect_keys AS text[])), 1"
ADD_ONE = "INSERT INTO effect VALUES (:effect_key, 1)"


async def count_effects(sessions: SessionFactory, key: str) -> int:
    async with sessions() as session:
        count = text("SELECT count(*) FROM effect WHERE key LIKE :key || '%'")
        return await session.scalar(count, {"key": key}) or 0


async def write_two(sessions: SessionFactory, key: str, *, second: str) -> None:
    async with sessions.begin() as session:
        defer_write(session, ADD_ONE, {"effect_key": f"{key}-1"})
        defer_write(session, second, {"effect_key": f"{key}-2"})


async def test_repeated_statement_is_written_with_all_its_values(
    sessions: SessionFactory, key: str
) -> None:
    async with sessions.begin() as session:
        defer_write(session, ADD, {"effect_keys": [f"{key}-1"]})
        defer_write(session, ADD, {"effect_keys": [f"{key}-2", f"{key}-3"]})
    assert await count_effects(sessions, key) == 3


async def test_all_deferred_writes_are_one_statement(sessions: SessionFactory, key: str) -> None:
    with statements(sessions) as seen:
        async with sessions.begin() as session:
            defer_write(session, ADD_ONE, {"effect_key": f"{key}-0"})
            for number in range(1, 1_000):
                defer_write(session, ADD, {"effect_keys": [f"{key}-{number}"]})
    assert len(seen) == 1
    assert await count_effects(sessions, key) == 1_000


def test_values_are_appended_in_place_and_the_callers_list_stays_as_it_is() -> None:
    """A list that is copied for each addition costs the square of the additions."""
    writes, given = DeferredWrites(), ["a"]
    writes.add(ADD, {"effect_keys": given})
    kept = writes._values[ADD]["effect_keys"]
    for _ in range(3):
        writes.add(ADD, {"effect_keys": ["b"]})
    assert writes._values[ADD]["effect_keys"] is kept
    assert (kept, given) == (["a", "b", "b", "b"], ["a"])


async def test_flushed_writes_are_not_written_again(sessions: SessionFactory, key: str) -> None:
    async with sessions.begin() as session:
        defer_write(session, ADD_ONE, {"effect_key": f"{key}-1"})
        await flush_deferred_writes(session)
        assert await session.scalar(text("SELECT count(*) FROM effect")) == 1
        defer_write(session, ADD_ONE, {"effect_key": f"{key}-2"})
    assert await count_effects(sessions, key) == 2


async def test_rolled_back_writes_are_not_written_by_the_next_transaction(
    sessions: SessionFactory, key: str
) -> None:
    async with sessions() as session:
        async with session.begin() as lost:
            defer_write(session, ADD_ONE, {"effect_key": f"{key}-1"})
            await session.execute(text("SELECT 1"))
            await lost.rollback()
        async with session.begin():
            defer_write(session, ADD_ONE, {"effect_key": f"{key}-2"})
    assert await count_effects(sessions, key) == 1


async def test_second_row_of_a_statement_for_one_is_refused_not_forgotten(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(DeferredWriteError, match="effect_key has two values"):
        await write_two(sessions, key, second=ADD_ONE)
    assert await count_effects(sessions, key) == 0


async def test_two_statements_with_one_parameter_name_are_refused(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(DeferredWriteError, match="parameter effect_key"):
        await write_two(sessions, key, second=f"{ADD_ONE} ")
    assert await count_effects(sessions, key) == 0


def test_repeated_statement_with_other_parameters_is_refused() -> None:
    writes = DeferredWrites()
    writes.add(ADD, {"effect_keys": ["a"]})
    for values in ({}, {"others": ["b"]}, {"effect_keys": ["b"], "others": ["b"]}):
        with pytest.raises(DeferredWriteError, match="other parameters"):
            writes.add(ADD, values)


async def test_session_that_defers_nothing_says_so() -> None:
    async with AsyncSession() as plain:
        with pytest.raises(TypeError, match="open_database"):
            defer_write(plain, ADD, {"effect_keys": ["a"]})


async def test_part_of_a_transaction_has_no_end_of_its_own(sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        with pytest.raises(NotImplementedError):
            await session.begin_nested()
