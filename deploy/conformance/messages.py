"""Requests and answers as they pass the kit, whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

Lines = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `path` and `query` are raw, names of headers are in lower case."""

    method: str
    path: str
    query: str
    lines: Lines
    body: bytes

    @property
    def headers(self) -> Headers:
        return Headers(raw=list(self.lines))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    lines: Lines
    body: bytes

    @property
    def headers(self) -> Headers:
        return Headers(raw=list(self.lines))

    def read_object(self) -> dict[str, Any]:
        """Return the JSON object of the body, an empty one where it is none."""
        return read_object(self.body)

    def with_object(self, content: Mapping[str, Any]) -> "Answer":
        return replace(self, body=json.dumps(content, ensure_ascii=False).encode())


def read_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # the second: thousands of brackets
        return {}
    return content if isinstance(content, dict) else {}


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Return the request of an ASGI scope with its whole body."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        lines=tuple(scope["headers"]),
        body=bytes(body),
    )
