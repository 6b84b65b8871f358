import base64
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Query
from sqlalchemy import Integer, String, column, select, table, text, tuple_

from shared.codes.agency import AgencyCode
from shared.codes.time import IsoInstant
from shared.database.session import SessionFactory
from shared.web import problems
from shared.web.pagination import (
    CursorUnreadable,
    Keyset,
    ListFilter,
    Page,
    PageParameters,
    PageParametersQuery,
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
    keyset = Keyset(limit=1, after=read_cursor(write_cursor(KEY)), of_list="")
    assert keyset.key(datetime, date, UUID, str, int) == KEY


def test_first_page_begins_after_nothing() -> None:
    assert Keyset(limit=1, after=None, of_list="").key(datetime) is None


OTHER_KEYS: list[tuple[Any, ...]] = [(), (1,), (1, "x", 3), ("today", "x"), (None, "x")]


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_cursor_of_another_key_is_unreadable(key: tuple[Any, ...]) -> None:
    keyset = Keyset(limit=1, after=read_cursor(write_cursor(key)), of_list="")
    with pytest.raises(CursorUnreadable):
        keyset.key(datetime, str)


class ThingFilter(ListFilter):
    agency: AgencyCode | None = None
    since: IsoInstant | None = None
    kind: int = 1


class OtherThingFilter(ThingFilter):
    """The same filters of another list."""


def read_list(filters: ListFilter, after: str | None = None, *path: str) -> Keyset:
    return filters.read_keyset(PageParameters(after=after), *path)


HANOI, NOON = {"agency": "H56"}, {"since": "2026-11-02T12:00:00+07:00"}


@pytest.mark.parametrize(
    ("written", "otherwise"),
    [
        (HANOI, {"agency": "000.00.00.H56"}),
        (NOON, {"since": "2026-11-02T05:00:00Z"}),
        ({**HANOI, **NOON}, {**NOON, **HANOI}),
        ({}, {"kind": "1"}),
    ],
)
def test_cursor_goes_on_in_the_same_list_written_otherwise(
    written: dict[str, str], otherwise: dict[str, str]
) -> None:
    cursor = read_list(ThingFilter.model_validate(written)).write((7,))
    assert read_list(ThingFilter.model_validate(otherwise), cursor).after == (7,)


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        (ThingFilter(), ["a"]),
        (ThingFilter(agency="H56"), []),
        (ThingFilter(agency="H56"), ["b"]),
        (ThingFilter(agency="H56", kind=2), ["a"]),
        (ThingFilter(agency="H56.1"), ["a"]),
        (OtherThingFilter(agency="H56"), ["a"]),
    ],
)
def test_cursor_of_another_list_is_unreadable(filters: ListFilter, path: list[str]) -> None:
    cursor = read_list(ThingFilter(agency="H56"), None, "a").write((7,))
    assert read_list(ThingFilter(agency="H56"), cursor, "a").after == (7,)
    with pytest.raises(CursorUnreadable):
        read_list(filters, cursor, *path)


app = FastAPI()
problems.install_handlers(app)


@app.get("/things")
async def things(filters: Annotated[ThingFilter, Query()], page: PageParametersQuery) -> Page[int]:
    keyset = filters.read_keyset(page)
    return Page(items=[keyset.limit, *(keyset.after or ())], next=None)


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


async def read_page(sessions: SessionFactory, keyset: Keyset) -> tuple[list[Any], str | None]:
    query = select(effect).order_by(effect.c.version, effect.c.key).limit(keyset.limit + 1)
    if after := keyset.key(int, str):
        query = query.where(tuple_(effect.c.version, effect.c.key) > after)
    async with sessions() as session:
        rows = list((await session.execute(query)).all())
    return keyset.cut(rows, key=lambda row: (row.version, row.key))


async def test_every_row_shows_once_while_others_are_inserted(sessions: SessionFactory) -> None:
    async def insert(*versions: int) -> None:
        rows = [{"key": key, "version": version} for version in versions for key in "abc"]
        async with sessions.begin() as session:
            await session.execute(text("INSERT INTO effect VALUES (:key, :version)"), rows)

    await insert(*range(10, 20))
    seen, after = [], None
    for round_ in range(20):
        keyset = ThingFilter().read_keyset(PageParameters(limit=7, after=after))
        rows, after = await read_page(sessions, keyset)
        seen += [(row.version, row.key) for row in rows]
        if after is None:
            break
        # One before all that was read, one after all that will be.
        await insert(9 - round_, 100 + round_)
    assert after is None
    assert len(seen) == len(set(seen))
    assert {(version, key) for version in range(10, 20) for key in "abc"} <= set(seen)
