"""Values at and beyond the ends of what a number, a day, an instant or a cursor can be."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.web.bodies.schema_navigator import SchemaNavigator
from shared.web.pagination import write_cursor

_DAYS = ["0001-01-01", "1849-12-31", "1850-01-01", "2199-12-31", "2200-01-01", "9999-12-31",
         "10000-01-01", "2026-02-30", "2026-00-00", "-001-01-01", "２０２６-11-02", ""]  # fmt: skip
_INSTANTS = [f"{day}T{time}" for day in _DAYS for time in ("00:00:00Z", "23:59:59.999999999-23:59",
             "00:00:00+23:59")] + ["2026-11-02T24:00:00Z", "2026-11-02T09:00:60Z"]  # fmt: skip
_NUMBERS = [-1, 0, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**100, 10**4_000]
_NUMBER_TEXTS = ["5_0", " 5", "5 ", "5.0", "+5", "0x5", "٥", "1e2", "", "-0", "9" * 5_000]
_KEYS: Sequence[tuple[Any, ...]] = [(), (2**63,), (-1,), (2**64 - 1,), ("\0",), ("a\0", 2),
         ("a", 2**63), *((instant, "H26-261102-0001") for instant in _INSTANTS)]  # fmt: skip
_CURSORS = ["", "\0", "bnVsbA", "e30", "=", "W10", "a" * 5_000, *map(write_cursor, _KEYS)]
KINDS = ("integer", "date", "date-time", "cursor")
IN_QUERY: Mapping[str, Sequence[str]] = {
    "integer": [*map(str, _NUMBERS), *_NUMBER_TEXTS],
    "date": _DAYS,
    "date-time": _INSTANTS,
    "cursor": _CURSORS,
}
IN_BODY: Mapping[str, Sequence[Any]] = {
    "integer": [*_NUMBERS, *_NUMBER_TEXTS, 1.0, 1e300, True, None],
    "date": [*_DAYS, 0, 1e12],
    "date-time": [*_INSTANTS, 0, 1e12],
}


class Place(NamedTuple):
    """A query word, or a member of a body."""

    names: tuple[str, ...]
    kind: str


def query_words(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Place]:
    for each in operation.get("parameters", ()):
        if each["in"] == "query" and (
            kind := _kind(SchemaNavigator(each["schema"], document), each["name"])
        ):
            yield Place((each["name"],), kind)


def members(shape: SchemaNavigator, way: tuple[str, ...] = ()) -> Iterator[Place]:
    at = shape.at([0 if name == "[]" else name for name in way])
    if way and (kind := _kind(SchemaNavigator(at, shape.document), way[-1])):
        yield Place(way, kind)
    for name in at.get("properties", {}):
        yield from members(shape, (*way, name))
    if "items" in at:
        yield from members(shape, (*way, "[]"))


def _kind(shape: SchemaNavigator, name: str) -> str | None:
    found = shape.at(())
    kind = "cursor" if name == "after" else found.get("format", found.get("type"))
    return kind if kind in KINDS else None
