"""Pages that anybody may read: kept as bytes, compressed once, and not sent again unchanged."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus

import orjson
from fastapi import Request, Response

_GZIP = "gzip"


@dataclass(frozen=True)
class Page:
    """The tag is weak: both forms of a page have it."""

    body: bytes
    packed: bytes
    media_type: str
    tag: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> "Page":
        tag = f'W/"{sha256(body).hexdigest()[:32]}"'
        return cls(body, gzip.compress(body, mtime=0), media_type, tag, headers or {})

    @classmethod
    def of_json(cls, content: object, *, seconds: int) -> "Page":
        """Return the page of `content`, which a cache may keep for `seconds`."""
        kept = {"Cache-Control": f"public, max-age={seconds}"}
        return cls.of(orjson.dumps(content), "application/json", kept)

    def respond(self, request: Request) -> Response:
        headers = {
            "Cache-Control": "no-cache",
            **self.headers,
            "ETag": self.tag,
            "Vary": "Accept-Encoding",
        }
        if _is_known(self.tag, request.headers.getlist("if-none-match")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if _takes_gzip(request.headers.getlist("accept-encoding")):
            headers["Content-Encoding"] = _GZIP
            return Response(self.packed, headers=headers, media_type=self.media_type)
        return Response(self.body, headers=headers, media_type=self.media_type)


def _is_known(tag: str, lines: list[str]) -> bool:
    """Compare weakly (RFC 9110 §13.1.2)."""
    named = [each.strip() for each in ",".join(lines).split(",")]
    return "*" in named or tag.removeprefix("W/") in {each.removeprefix("W/") for each in named}


def _takes_gzip(lines: list[str]) -> bool:
    """Return whether gzip is named with a weight above 0 (RFC 9110 §12.5.3)."""
    for each in ",".join(lines).lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in {_GZIP, "x-gzip"}:
            return weight.replace(" ", "").removeprefix("q=").strip("0.") != "" or not weight
    return False
