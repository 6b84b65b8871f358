"""Lists by key, not by offset: page 1,000 costs what page 1 costs, and no row shows twice."""

import base64
import binascii
import re
from http import HTTPStatus
from typing import Annotated, Any, Generic, Self, TypeVar

import orjson
from fastapi import Depends, Query
from pydantic import BaseModel, TypeAdapter, WithJsonSchema

from shared.problems import Problem

Item = TypeVar("Item")

MOST = 500
_CURSOR = re.compile("[A-Za-z0-9_-]{1,1000}={0,2}")
_BIGINT_END = 2**63


class Page(BaseModel, Generic[Item]):
    """`next` is the cursor of the following page; None on the last one."""

    items: list[Item]
    next: str | None


class CursorUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The cursor is not one that this list gave"
    type = "/problems/cursor-unreadable"
    advice = "Send back `next` of the page before, unchanged."


class PageQuery(BaseModel):
    """How many, and after which key: the values of the ordering columns of the last row."""

    limit: int
    after: tuple[Any, ...] | None

    @classmethod
    def of(cls, limit: int, cursor: str | None) -> Self:
        """Read them as the words of a query have them; raise CursorUnreadable."""
        return cls(limit=limit, after=None if cursor is None else read_cursor(cursor))

    def key(self, *types: Any) -> tuple[Any, ...] | None:
        """`after` as values of these types: a date or UUID comes back from a cursor as text.

        Raises CursorUnreadable where they do not fit: someone wrote the cursor, or it is of
        another list.
        """
        if self.after is None:
            return None
        try:
            pairs = zip(types, self.after, strict=True)
            key = tuple(TypeAdapter(kind).validate_python(value) for kind, value in pairs)
        except ValueError:
            raise CursorUnreadable from None
        if not all(_can_be_stored(value) for value in key):
            raise CursorUnreadable
        return key

    def cut(self, rows: list[Any], key: Any) -> tuple[list[Any], str | None]:
        """Of `limit + 1` rows read, the page and the cursor of the next, by `key(last row)`."""
        page = rows[: self.limit]
        return page, write_cursor(key(page[-1])) if len(rows) > self.limit else None


def write_cursor(key: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[Any, ...]:
    if not _CURSOR.fullmatch(cursor):
        raise CursorUnreadable
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise CursorUnreadable from None
    if not isinstance(key, list):
        raise CursorUnreadable
    return tuple(key)


def _can_be_stored(value: object) -> bool:
    """Tell whether PostgreSQL has it: a bigint, or a text without NUL."""
    if isinstance(value, int):
        return abs(value) < _BIGINT_END
    return not (isinstance(value, str) and "\0" in value)


# `read_cursor` refuses another form with a problem of its own.
Cursor = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_CURSOR.pattern}$",
            "description": "`next` of the page before",
        }
    ),
]


async def _page_query(
    limit: Annotated[int, Query(ge=1, le=MOST, description="how many at most")] = 50,
    after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
) -> PageQuery:
    return PageQuery.of(limit, after)


Paging = Annotated[PageQuery, Depends(_page_query)]
