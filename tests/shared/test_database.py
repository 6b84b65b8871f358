"""What a transaction keeps for its end is written once, whole, or not at all."""

import pytest
from sqlalchemy import text

from shared.database import SessionFactory, write_last, write_now

ADD = "INSERT INTO effect SELECT unnest(CAST(:effect_keys AS text[])), 1"
ADD_ONE = "INSERT INTO effect VALUES (:effect_key, 1)"


async def kept(sessions: SessionFactory, key: str) -> int:
    async with sessions() as session:
        count = text("SELECT count(*) FROM effect WHERE key LIKE :key || '%'")
        return await session.scalar(count, {"key": key}) or 0


async def write_two(sessions: SessionFactory, key: str, *, second: str) -> None:
    async with sessions.begin() as session:
        write_last(session, ADD_ONE, {"effect_key": f"{key}-1"})
        write_last(session, second, {"effect_key": f"{key}-2"})


async def test_statement_said_again_is_written_with_all_its_values(
    sessions: SessionFactory, key: str
) -> None:
    async with sessions.begin() as session:
        write_last(session, ADD, {"effect_keys": [f"{key}-1"]})
        write_last(session, ADD, {"effect_keys": [f"{key}-2", f"{key}-3"]})
    assert await kept(sessions, key) == 3


async def test_what_is_written_before_the_end_is_not_written_again(
    sessions: SessionFactory, key: str
) -> None:
    async with sessions.begin() as session:
        write_last(session, ADD_ONE, {"effect_key": f"{key}-1"})
        await write_now(session)
        assert await session.scalar(text("SELECT count(*) FROM effect")) == 1
        write_last(session, ADD_ONE, {"effect_key": f"{key}-2"})
    assert await kept(sessions, key) == 2


async def test_second_row_of_a_statement_for_one_is_refused_not_forgotten(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(AssertionError, match="said twice"):
        await write_two(sessions, key, second=ADD_ONE)
    assert await kept(sessions, key) == 0


async def test_two_statements_do_not_take_each_others_values(
    sessions: SessionFactory, key: str
) -> None:
    with pytest.raises(AssertionError, match="share a name"):
        await write_two(sessions, key, second=f"{ADD_ONE} ")
    assert await kept(sessions, key) == 0


async def test_part_of_a_transaction_has_no_end_of_its_own(sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        with pytest.raises(NotImplementedError):
            await session.begin_nested()
