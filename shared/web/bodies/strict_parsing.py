"""Parse requests strictly: each has one meaning, and no part of it is ignored.

Two parsers must not derive different meanings from the same bytes, so a repeated member, a number
written as text and an unknown query parameter are refused. A query string carries no types: there
digits are a number, and `true` and `false` are booleans.
"""

import re
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from inspect import cleandoc
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter

from shared.codes.time import IsoDay, IsoInstant
from shared.texts.translatable import Translatable
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
    advice: Translatable


# The notation of numbers and booleans in a query.
_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        # int() also accepts spaces, signs, underscores and the digits of all scripts.
        "integer": _Form(
            re.compile("-?[0-9]{1,18}"), Translatable("Write a number in digits, 0 to 9")
        ),
        # pydantic also accepts yes, on, t and 1.
        "boolean": _Form(re.compile("true|false"), Translatable("Write true or false")),
    }
)


class StrictModel(BaseModel):
    """The base of request bodies: unknown members and values of other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _require_integer(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(Translatable("a number is wanted"))


class QueryUnreadable(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The query is not UTF-8"
    type = "/problems/query-unreadable"
    advice = "Encode the query in UTF-8, then percent-encode it."


# For numeric codes in a body: true, 1.0 and "1" are refused although they equal or convert to 1.
StrictInteger = BeforeValidator(_require_integer)


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = loads_strict(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """The class of every route: it parses JSON and query strictly, and evaluates conditions.

    The first paragraph of a route's docstring is published as its summary, the rest as its
    description.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        summary, description = _split_docstring(endpoint.__doc__ or "")
        # A router that includes another one makes its routes anew, with their texts.
        options["summary"] = options.get("summary") or summary
        options["description"] = options.get("description") or description
        super().__init__(path, endpoint, **options)

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


def _split_docstring(docstring: str) -> tuple[str, str]:
    first, *others = (" ".join(part.split()) for part in cleandoc(docstring).split("\n\n"))
    return first.removesuffix("."), "\n\n".join(others)


def _list_query_words(dependant: Dependant) -> Iterator[tuple[str, SchemaNavigator]]:
    """Yield each query parameter with its schema; a model of parameters yields its fields."""
    for field in dependant.query_params:
        kind = field.field_info.annotation
        schema = TypeAdapter[Any](kind or Any).json_schema(by_alias=True)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, inner in schema["properties"].items():
                yield name, SchemaNavigator(inner, schema)
        else:
            yield field.alias, SchemaNavigator(schema, schema)
    for inner in dependant.dependencies:
        yield from _list_query_words(inner)


def _find_form(shape: SchemaNavigator) -> _Form | None:
    return _FORMS.get(shape.at(()).get("type", ""))


def reject_ambiguous_query(
    request: Request, known: Collection[str], forms: Mapping[str, _Form] = MappingProxyType({})
) -> None:
    pairs = request.query_params.multi_items()
    words = [word for word, _ in pairs]
    if not set(words).issubset(known):
        advice = (
            Translatable(
                "Leave it out; the parameters are: {parameters}",
                parameters=", ".join(sorted(known)),
            )
            if known
            else Translatable("Leave it out; this path has none")
        )
        raise Invalid(errors=[{"at": "query.(unknown word)", "is": advice}])
    if len(set(words)) < len(words):
        raise Invalid(
            Translatable("Send each query word once."),
            errors=[{"at": "query", "is": Translatable("A word stands twice")}],
        )
    wrong = [
        {"at": f"query.{word}", "is": form.advice}
        for word, text in pairs
        if (form := forms.get(word)) and not form.pattern.fullmatch(text)
    ]
    if wrong:
        raise Invalid(errors=wrong)
    try:
        # Without this check a query that is not percent-encoded would be decoded as Latin-1.
        unquote_to_bytes(request.scope["query_string"].decode("ascii")).decode()
    except UnicodeDecodeError:
        raise QueryUnreadable from None


# The class of every router of a service.
Router = partial(APIRouter, route_class=StrictRoute)
