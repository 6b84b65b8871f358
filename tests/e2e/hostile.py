"""Bodies that cost as much as they can, drawn from what an operation says that it takes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from shared.web.bodies.schema_navigator import SchemaNavigator

KIB = 1024


class Hostile(NamedTuple):
    name: str
    body: bytes


def hostile_bodies(shape: SchemaNavigator, good: dict[str, Any], limit: int) -> Iterator[Hostile]:
    """Yield bodies of about `limit` bytes: each is, or begins like, `good`, one part blown up."""
    within = orjson.dumps(good)[:-1]
    room = limit - len(within) - 200
    yield Hostile("unknown members", within + _members(room) + b"}")
    yield Hostile("one member again and again", within + b',"a":0' * (room // 6) + b"}")
    yield Hostile("nesting", within + b',"a":' + b"[" * (room // 2) + b"]" * (room // 2) + b"}")
    yield Hostile("nested objects", b'{"a":' * (limit // 6) + b"0" + b"}" * (limit // 6))
    yield Hostile("a list of objects", b"[" + b'{"a":0},' * (limit // 9) + b"0]")
    yield Hostile("a text that never ends", within + b',"' + b'\\"' * (room // 2))
    yield Hostile("commas in a text", within + b',"a":"' + b"," * room + b'"}')
    yield Hostile("nothing but space", b" " * limit)
    for place in sorted(places_of(shape)):
        for name, filling in _fillings(room):
            yield Hostile(f"{'.'.join(place)}: {name}", filled(good, place, filling))


def _members(room: int) -> bytes:
    return b"".join(b',"m%06d":0' % number for number in range(room // 12))


def _fillings(room: int) -> Iterator[tuple[str, bytes]]:
    yield "numbers", b"[" + b"0," * (room // 2 - 1) + b"0]"
    yield "empty texts", b"[" + b'"",' * (room // 3 - 1) + b'""]'
    yield "objects", b"[" + b"{}," * (room // 3 - 1) + b"{}]"
    many = b"{" + _members(300)[1:] + b"}"
    yield "objects of many members", b"[" + b",".join([many] * (room // (len(many) + 1))) + b"]"
    yield "a long text", b'"' + b"x" * room + b'"'
    yield "a long text in escapes", b'"\\ud83d\\ude00' + b"\\u0041" * (room // 6 - 2) + b'"'
    yield "wide texts", b"[" + b",".join([_wide(room // 500)] * 490) + b"]"
    yield "a long number", b"9" * room
    yield "a number of 4,000 digits", b"9" * 4_000
    yield "a long fraction", b"0." + b"9" * room
    yield "a large exponent", b"1e" + b"9" * room


def _wide(size: int) -> bytes:
    """One character makes each of the others take four bytes."""
    return b'"' + "😀".encode() + b"x" * max(size - 8, 0) + b'"'


def places_of(shape: SchemaNavigator, place: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return where members are, also those of the objects in lists."""
    at = shape.at([0 if part == "[]" else part for part in place])
    found = {place} if place and place[-1] != "[]" else set()
    for name in at.get("properties", {}):
        found |= places_of(shape, (*place, name))
    if "items" in at:
        found |= places_of(shape, (*place, "[]"))
    return found


def filled(good: dict[str, Any], place: tuple[str, ...], filling: bytes) -> bytes:
    """Put `filling` at `place` of a copy of `good`; the way there is made where it is missing."""
    whole = orjson.loads(orjson.dumps(good))
    value: Any = whole
    *way, last = place
    for part, following in zip(way, place[1:], strict=True):
        default: Any = [] if following == "[]" else {}
        if part == "[]":
            value.append(default) if not value else None
            value = value[0]
        else:
            value[part] = value[part] if value.get(part) else default
            value = value[part]
    value[last] = "(filling)"
    before, _, after = orjson.dumps(whole).partition(b'"(filling)"')
    return before + filling + after
