"""Two OpenAPI documents of one service, compared as its callers would."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


def operations(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


class Field(NamedTuple):
    kind: str
    required: bool


def fields(shape: Mapping[str, Any], whole: Mapping[str, Any], at: str) -> dict[str, Field]:
    """Every field below a shape by its place, `items[].code` for instance; a cycle ends."""
    return dict(_fields(shape, whole, at, ()))


def _fields(
    shape: Mapping[str, Any], whole: Mapping[str, Any], at: str, within: tuple[str, ...]
) -> Iterator[tuple[str, Field]]:
    if reference := shape.get("$ref"):
        if reference not in within:
            named = whole["components"]["schemas"][reference.rpartition("/")[2]]
            yield from _fields(named, whole, at, (*within, reference))
        return
    for choice in (*shape.get("anyOf", ()), *shape.get("oneOf", ()), *shape.get("allOf", ())):
        yield from _fields(choice, whole, at, within)
    if "items" in shape:
        yield from _fields(shape["items"], whole, f"{at}[]", within)
    for name, inner in shape.get("properties", {}).items():
        place = f"{at}.{name}"
        yield place, Field(_kind(inner, whole), name in shape.get("required", ()))
        yield from _fields(inner, whole, place, within)


def _kind(shape: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if reference := shape.get("$ref"):
        return _kind(whole["components"]["schemas"][reference.rpartition("/")[2]], whole)
    choices = (*shape.get("anyOf", ()), *shape.get("oneOf", ()))
    return " or ".join(sorted({_kind(each, whole) for each in choices} or {_type(shape)}))


def _type(shape: Mapping[str, Any]) -> str:
    return f"{shape.get('type', 'any')}{shape.get('format', '') and '/' + shape['format']}"


def asked(operation: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Field]:
    """Parameters and fields of the body."""
    found = {
        f"{each['in']} {each['name']}": Field(_kind(each["schema"], whole), each["required"])
        for each in operation.get("parameters", ())
    }
    for content in operation.get("requestBody", {}).get("content", {}).values():
        found |= fields(content["schema"], whole, "body")
    return found


def answered(operation: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Field]:
    """Fields of the answers that are no errors, by status."""
    found = {}
    for status, answer in operation["responses"].items():
        if status < "400":
            found[status] = Field("answer", required=True)
            for content in answer.get("content", {}).values():
                found |= fields(content["schema"], whole, status)
    return found


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why a caller that was written by `old` could fail with `new`."""
    was, is_ = operations(old), operations(new)
    found = [f"{name} was removed" for name in was if name not in is_]
    for name in was.keys() & is_.keys():
        question, reply = asked(was[name], old), answered(was[name], old)
        asks, replies = asked(is_[name], new), answered(is_[name], new)
        found += [f"{name}: {fault}" for fault in _lost(question, asks) + _lost(reply, replies)]
        found += [f"{name}: `{place}` is newly required" for place in _demanded(question, asks)]
    return sorted(found)


def _lost(old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    found = [f"`{place}` was removed or renamed" for place in old if place not in new]
    return found + [
        f"`{place}` has another type"
        for place in old
        if place in new and old[place].kind != new[place].kind
    ]


def _demanded(old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    """What callers do not send yet; what a new optional object requires asks nothing of them."""

    def was_there(place: str) -> bool:
        above = place.rpartition(".")[0].removesuffix("[]")
        return above in {"", "body"} or above in old

    needed = {place for place, each in old.items() if each.required}
    return [
        place
        for place, each in new.items()
        if each.required and place not in needed and was_there(place)
    ]
