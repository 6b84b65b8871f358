"""How a request is read: one way only, and nothing of it is passed over.

Whoever reads the same bytes must not come to another meaning: a member that stands twice, a number
written as text, a query word that nobody knows are refused, not guessed at. A query string carries
no types, so there `1` may be a number.
"""

import json
import re
from collections.abc import Callable, Coroutine, Iterator
from datetime import date, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, NoReturn
from urllib.parse import unquote_to_bytes

from annotated_types import GroupedMetadata
from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Strict

from shared.problems import Invalid, Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# An escaped surrogate; whether its other half stands beside it, encoding tells.
_HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_INSTANT = re.compile(_DAY.pattern + r"[Tt ].+")


class Body(BaseModel):
    """Of a request: no unknown member, and no value of another type that could pass for it."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _number(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a number is wanted")


def _day(value: object) -> object:
    """Without this, a number of seconds or milliseconds would be a day too."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("write yyyy-mm-dd")
    return value if isinstance(value, str | date) else _wrong("a day is text, yyyy-mm-dd")


def _instant(value: object) -> object:
    if isinstance(value, str) and not _INSTANT.fullmatch(value):
        raise ValueError("write an instant as 2026-11-02T09:00:00+07:00")
    return value if isinstance(value, str | datetime) else _wrong("an instant is text")


class QueryUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The query is no text"
    type = "/problems/query-unreadable"
    advice = "Write it in UTF-8, and percent-encode that."


def _wrong(what: str) -> NoReturn:
    raise ValueError(what)


class _Written(GroupedMetadata):
    """Of what JSON has no type for: read from its text also where all else is read strictly."""

    def __init__(self, check: Callable[[object], object]) -> None:
        self._check = check

    def __iter__(self) -> Iterator[object]:
        yield Strict(strict=False)
        yield BeforeValidator(self._check)


# Of a body, where a code is a number: what equals the number is not yet one (true, 1.0, "1").
Number = BeforeValidator(_number)
# ISO 8601 alone, in bodies and queries. Bounds stand before them, or they would not be in a schema.
DayText, InstantText = _Written(_day), _Written(_instant)
IsoDay = Annotated[date, DayText]
IsoInstant = Annotated[AwareDatetime, InstantText]


def read_json(body: bytes) -> Any:
    """UTF-8, whole characters, no member twice, no NaN (RFC 7493).

    Raises JSONDecodeError, which repeats no value.
    """
    try:
        read = json.loads(body.decode(), object_pairs_hook=_members, parse_constant=_constant)
        if _HALF_A_CHARACTER.search(body):
            json.dumps(read, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _unreadable("It is nested too deeply") from None
    except UnicodeError:
        raise _unreadable("It is not UTF-8, or holds half a character") from None
    except ValueError as error:
        own = isinstance(error, _RefusedError)
        raise _unreadable(str(error) if own else "A number has too many digits") from None
    return read


class _RefusedError(ValueError):
    pass


def _unreadable(why: str) -> json.JSONDecodeError:
    return json.JSONDecodeError(why, "", 0)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _RefusedError("A member stands twice in one object")
    return members


def _constant(_: str) -> NoReturn:
    raise _RefusedError("NaN and Infinity are no numbers of JSON")


class _Request(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """Of every route: its JSON is read as above, and it is asked nothing that it does not know."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        known = frozenset(_query_words(self.dependant))

        async def strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                _require_one_reading(request, known)
            return await handle(_Request(request.scope, request.receive))

        return strictly


def _query_words(asked: Dependant) -> Iterator[str]:
    """A model of query words stands for its fields."""
    for field in asked.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (each.alias or name for name, each in kind.model_fields.items())
        else:
            yield field.alias
    for inner in asked.dependencies:
        yield from _query_words(inner)


def _require_one_reading(request: Request, known: frozenset[str]) -> None:
    words = [word for word, _ in request.query_params.multi_items()]
    if not known.issuperset(words):
        told = ", ".join(sorted(known)) or "none at all"
        raise Invalid(
            f"The query words of this path are: {told}.",
            errors=[{"at": "query.(unknown word)", "is": f"Leave it out; known here are: {told}"}],
        )
    if len(set(words)) < len(words):
        raise Invalid(
            "Send each query word once.", errors=[{"at": "query", "is": "A word stands twice"}]
        )
    try:
        # Unescaped, it would be read as Latin-1.
        unquote_to_bytes(request.scope["query_string"].decode("ascii")).decode()
    except UnicodeDecodeError:
        raise QueryUnreadable from None


# What every router of a service is.
Router = partial(APIRouter, route_class=StrictRoute)
