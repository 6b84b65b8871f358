"""How a request is read: one way only, and nothing of it is passed over.

Two readers of the same bytes must not come to different meanings: a member that stands twice, a
number written as text, a query word that nobody knows are refused, not guessed at. A query string
carries no types: there digits are a number, and `true` and `false` are the two truth values.
"""

import re
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

from shared.codes.time import IsoDay, IsoInstant
from shared.web.bodies.large_bodies import (
    LargeRequest,
    find_holder,
    find_large_bodies,
    measure_large_body,
)
from shared.web.bodies.schema_navigator import SchemaNavigator
from shared.web.bodies.strict_json import loads_strict
from shared.web.etag import evaluate_condition
from shared.web.problems import Invalid, Problem

__all__ = [
    "IsoDay",
    "IsoInstant",
    "QueryUnreadable",
    "Router",
    "StrictInteger",
    "StrictModel",
    "StrictRoute",
]

RouteHandler = Callable[[Request], Coroutine[Any, Any, Response]]


class _Form(NamedTuple):
    pattern: re.Pattern[str]
    advice: str


# How a query writes a value of a JSON type that is no text.
_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        # int() takes spaces, signs, underscores and the digits of all scripts.
        "integer": _Form(re.compile("-?[0-9]{1,18}"), "Write a number in digits, 0 to 9"),
        # pydantic takes yes, on, t and 1 as well.
        "boolean": _Form(re.compile("true|false"), "Write true or false"),
    }
)


class StrictModel(BaseModel):
    """Of a request: no unknown member, and no value of another type that could pass for it."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _require_integer(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a number is wanted")


class QueryUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The query is no text"
    type = "/problems/query-unreadable"
    advice = "Write it in UTF-8, and percent-encode that."


# Of a body, where a code is a number: what equals the number is not yet one (true, 1.0, "1").
StrictInteger = BeforeValidator(_require_integer)


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = loads_strict(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """Of every route: its JSON is read as above, and it is asked nothing that it does not know."""

    def get_route_handler(self) -> RouteHandler:
        handle = super().get_route_handler()
        known = dict(_list_query_words(self.dependant))
        forms = {word: form for word, shape in known.items() if (form := _find_form(shape))}
        body = self.body_field
        shape = TypeAdapter[Any](body.field_info.annotation or Any) if body else None

        async def strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                reject_ambiguous_query(request, known.keys(), forms)
            if shape and (size := measure_large_body(request.headers)):
                bodies = find_large_bodies(request.app)
                async with bodies.room_for(size, find_holder(request)):
                    return await handle(LargeRequest(request, bodies, shape, size))
            answer = await handle(_StrictRequest(request.scope, request.receive))
            return evaluate_condition(request, answer)

        return strictly


def _list_query_words(asked: Dependant) -> Iterator[tuple[str, SchemaNavigator]]:
    """Yield each word with its shape; a model of query words stands for its fields."""
    for field in asked.query_params:
        kind = field.field_info.annotation
        schema = TypeAdapter[Any](kind or Any).json_schema(by_alias=True)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, inner in schema["properties"].items():
                yield name, SchemaNavigator(inner, schema)
        else:
            yield field.alias, SchemaNavigator(schema, schema)
    for inner in asked.dependencies:
        yield from _list_query_words(inner)


def _find_form(shape: SchemaNavigator) -> _Form | None:
    return _FORMS.get(shape.at(()).get("type", ""))


def reject_ambiguous_query(
    request: Request, known: Collection[str], forms: Mapping[str, _Form] = MappingProxyType({})
) -> None:
    pairs = request.query_params.multi_items()
    words = [word for word, _ in pairs]
    if not set(words).issubset(known):
        told = f"known here are: {', '.join(sorted(known))}" if known else "this path takes none"
        raise Invalid(errors=[{"at": "query.(unknown word)", "is": f"Leave it out; {told}"}])
    if len(set(words)) < len(words):
        raise Invalid(
            "Send each query word once.", errors=[{"at": "query", "is": "A word stands twice"}]
        )
    wrong = [
        {"at": f"query.{word}", "is": form.advice}
        for word, text in pairs
        if (form := forms.get(word)) and not form.pattern.fullmatch(text)
    ]
    if wrong:
        raise Invalid(errors=wrong)
    try:
        # Unescaped, it would be read as Latin-1.
        unquote_to_bytes(request.scope["query_string"].decode("ascii")).decode()
    except UnicodeDecodeError:
        raise QueryUnreadable from None


# What every router of a service is.
Router = partial(APIRouter, route_class=StrictRoute)
