"""Pagination by key: page 1,000 costs as much as page 1, and no row appears twice."""

import base64
import binascii
import re
from collections.abc import Iterable
from hashlib import blake2b
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Depends, Query, Request
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


class CursorUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The cursor is not of this list"
    type = "/problems/cursor-unreadable"
    advice = "Send `next` of the previous page, unchanged, to the same list with the same filters."


class PageQuery(BaseModel):
    """The requested page: at most `limit` rows after a key.

    `after` holds the values of the ordering columns of the last row. `of_list` names the list with
    its filters: a cursor begins with it and is valid only there. It is empty for a list whose key
    already identifies the list.
    """

    limit: int
    after: tuple[Any, ...] | None
    of_list: str = ""

    def key(self, *types: Any) -> tuple[Any, ...] | None:
        """Return `after` as values of these types, because a cursor holds dates and UUIDs as text.

        Raise CursorUnreadable for other values: the cursor was forged, or is of another list.
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
        return write_cursor((self.of_list, *key) if self.of_list else key)


def name_filtered_list(path: str, filters: BaseModel) -> str:
    """Return `name_list` for a model, so that both written forms of a code name one list."""
    return name_list(path, filters.model_dump(mode="json", exclude_none=True).items())


def name_list(path: str, filters: Iterable[tuple[str, Any]]) -> str:
    """Return a short name for the list at `path` under filters, pairs of name and JSON value."""
    return blake2b(orjson.dumps([path, sorted(filters)]), digest_size=5).hexdigest()


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

    def read_page(self, of_list: str = "") -> PageQuery:
        """Return the requested page of the list of this name; raise CursorUnreadable."""
        after = None if self.after is None else read_cursor(self.after)
        if after is not None and of_list:
            if after[:1] != (of_list,):
                raise CursorUnreadable
            after = after[1:]
        return PageQuery(limit=self.limit, after=after, of_list=of_list)


PageParametersQuery = Annotated[PageParameters, Query()]


async def _read_page(request: Request, parameters: PageParametersQuery) -> PageQuery:
    words = request.query_params.multi_items()
    filters = [pair for pair in words if pair[0] not in PageParameters.model_fields]
    return parameters.read_page(name_list(request.url.path, filters))


# The page of a list that its path and the query name; a filter in another form is another list.
Paging = Annotated[PageQuery, Depends(_read_page)]
