"""Pagination by key: page 1,000 costs as much as page 1, and no row appears twice."""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from shared.web.problems import Problem

Item = TypeVar("Item")

MAX_PAGE_ITEMS = 500
_CURSOR = re.compile("[A-Za-z0-9_-]{1,1000}={0,2}")
_BIGINT_END = 2**63


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the cursor of the following page, None on the last one."""

    items: list[Item]
    next: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return the published name, AgencyPage for a page of AgencyOut."""
        (item,) = params
        return f"{item.__name__.removesuffix('Out')}{cls.__name__}"


class CursorUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The cursor is not of this list"
    type = "/problems/cursor-unreadable"
    advice = (
        "Send `next` of the previous page, unchanged, to the same list with the same filters. "
        "After an upgrade, begin again at the first page."
    )


class Keyset(BaseModel):
    """The rows of the requested page: at most `limit` after a key.

    `after` holds the values of the ordering columns of the last row. `of_list` names the list with
    its filters: a cursor begins with it and is valid only there.
    """

    limit: int
    after: tuple[Any, ...] | None
    of_list: str

    def key(self, *types: Any) -> tuple[Any, ...] | None:
        """Return `after` as values of these types, because a cursor holds dates and UUIDs as text.

        Raise CursorUnreadable for other values: the cursor was forged.
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
        """Return the page out of `limit + 1` rows, and the next cursor by `key(last row)`."""
        page = rows[: self.limit]
        return page, self.write(key(page[-1])) if len(rows) > self.limit else None

    def write(self, key: tuple[Any, ...]) -> str:
        """Return the cursor of the page after the row with this key."""
        return write_cursor((self.of_list, *key))


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
    """Return whether PostgreSQL can store the value: a bigint, or a text without NUL."""
    if isinstance(value, int):
        return abs(value) < _BIGINT_END
    return not (isinstance(value, str) and "\0" in value)


# The pattern is only published; `read_cursor` refuses other forms with a problem of its own.
Cursor = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_CURSOR.pattern}$",
            "description": "`next` of the previous page",
        }
    ),
]


class PageParameters(BaseModel):
    """The query parameters of paging, which stand beside the filters of a list."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(50, ge=1, le=MAX_PAGE_ITEMS, description="the maximum number of items")
    after: Cursor | None = Field(None, description="`next` of the previous page")


PageParametersQuery = Annotated[PageParameters, Query()]


class ListFilter(BaseModel):
    """The base of the filters of a list; a filter that is None narrows nothing.

    Each list has a subclass of its own, even without a filter, because class and fields name it.
    The parameters of paging stand beside the filters in the query.
    """

    model_config = ConfigDict(frozen=True)

    def read_keyset(self, page: PageParameters, *path: str) -> Keyset:
        """Return which rows of the list with these filters `page` requests; raise CursorUnreadable.

        `path` holds the parts of the path that vary, because each of them leads to another list.
        """
        of_list = self._name_list(path)
        after = None if page.after is None else read_cursor(page.after)
        if after is not None and after[:1] != (of_list,):
            raise CursorUnreadable
        return Keyset(limit=page.limit, after=after and after[1:], of_list=of_list)

    def _name_list(self, path: Sequence[str]) -> str:
        """Return a short name, the same for each written form of a code or an instant."""
        filters = {
            name: value.astimezone(UTC) if isinstance(value, datetime) else value
            for name, value in self
            if value is not None
        }
        text = orjson.dumps([type(self).__name__, path, filters])
        return blake2b(text, digest_size=5).hexdigest()
