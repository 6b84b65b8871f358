import base64
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Integer, String, column, select, table, text, tuple_

from shared.database.session import SessionFactory
from shared.web import problems
from shared.web.pagination import (
    CursorUnreadable,
    Page,
    PageQuery,
    Paging,
    read_cursor,
    write_cursor,
)

KEY = (
    datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC),
    date(2026, 11, 22),
    UUID("0193a5c8-0000-7000-8000-000000000001"),
    "H26.1",
    42,
)


def test_cursor_brings_back_what_was_written() -> None:
    page = PageQuery(limit=1, after=read_cursor(write_cursor(KEY)))
    assert page.key(datetime, date, UUID, str, int) == KEY


def test_first_page_begins_after_nothing() -> None:
    assert PageQuery(limit=1, after=None).key(datetime) is None


OTHER_LISTS: list[tuple[Any, ...]] = [(), (1,), (1, "x", 3), ("today", "x"), (None, "x")]


@pytest.mark.parametrize("key", OTHER_LISTS)
def test_cursor_of_another_list_is_unreadable(key: tuple[Any, ...]) -> None:
    page = PageQuery(limit=1, after=read_cursor(write_cursor(key)))
    with pytest.raises(CursorUnreadable):
        page.key(datetime, str)


app = FastAPI()
problems.install_handlers(app)


@app.get("/things")
async def things(page: Paging) -> Page[int]:
    return Page(items=[page.limit, *(page.after or ())], next=None)


async def get(**query: str | int) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.get("/things", params=query)


def cursor(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


@pytest.mark.parametrize("after", ["x", "ẩ", "%%%", cursor(b"\xff"), cursor(b'{"a": 1}'), "===="])
async def test_unreadable_cursor_is_a_bad_request(after: str) -> None:
    answer = await get(after=after)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_page_has_fifty_items_or_up_to_five_hundred() -> None:
    assert (await get()).json()["items"] == [50]
    assert (await get(limit=500)).json()["items"] == [500]
    assert [(await get(limit=limit)).status_code for limit in (0, 501)] == [422, 422]


effect = table("effect", column("key", String), column("version", Integer))


async def read_page(sessions: SessionFactory, page: PageQuery) -> tuple[list[Any], str | None]:
    query = select(effect).order_by(effect.c.version, effect.c.key).limit(page.limit + 1)
    if after := page.key(int, str):
        query = query.where(tuple_(effect.c.version, effect.c.key) > after)
    async with sessions() as session:
        rows = list((await session.execute(query)).all())
    return page.cut(rows, key=lambda row: (row.version, row.key))


async def test_every_row_shows_once_while_others_are_inserted(sessions: SessionFactory) -> None:
    async def insert(*versions: int) -> None:
        rows = [{"key": key, "version": version} for version in versions for key in "abc"]
        async with sessions.begin() as session:
            await session.execute(text("INSERT INTO effect VALUES (:key, :version)"), rows)

    await insert(*range(10, 20))
    seen, after = [], None
    for round_ in range(20):
        page = PageQuery(limit=7, after=read_cursor(after) if after else None)
        rows, after = await read_page(sessions, page)
        seen += [(row.version, row.key) for row in rows]
        if after is None:
            break
        # One before all that was read, one after all that will be.
        await insert(9 - round_, 100 + round_)
    assert after is None
    assert len(seen) == len(set(seen))
    assert {(version, key) for version in range(10, 20) for key in "abc"} <= set(seen)
