"""Public pages, cached as bytes, compressed once and served with conditional requests."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.web.etag import evaluate_condition
from shared.web.list_headers import read_short_list

_GZIP = "gzip"


class PublishedKey(BaseModel):
    """A public key as a JWK (RFC 7517); it has the members of its type, `kty`, alone."""

    model_config = ConfigDict(extra="allow")

    kty: str
    kid: str
    use: str
    alg: str
    crv: str | None = Field(None, description="present in EC and OKP keys")
    x: str | None = Field(None, description="present in EC and OKP keys")
    y: str | None = Field(None, description="present in EC keys")
    pem: str | None = Field(
        None, description="the same key as openssl reads it, in the keys of the ledger"
    )


class PublishedKeySet(BaseModel):
    """A JWKS: the key that signs now, and those that signed before or will sign later."""

    keys: list[PublishedKey]


@dataclass(frozen=True)
class PublishedPage:
    """A page with its compressed form; the tag is weak because both forms share it."""

    body: bytes
    packed: bytes
    media_type: str
    tag: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
    ) -> "PublishedPage":
        tag = f'W/"{sha256(body).hexdigest()[:32]}"'
        return cls(body, gzip.compress(body, mtime=0), media_type, tag, headers or {})

    @classmethod
    def of_json(cls, content: object, *, seconds: int) -> "PublishedPage":
        """Return the page of `content` as JSON, which caches may keep for `seconds`."""
        caching = {"Cache-Control": f"public, max-age={seconds}"}
        return cls.of(orjson.dumps(content), "application/json", caching)

    def respond(self, request: Request) -> Response:
        headers = {
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
            **self.headers,
            "ETag": self.tag,
        }
        body = self.body
        if _accepts_gzip(read_short_list(request.headers, "accept-encoding") or ""):
            headers["Content-Encoding"], body = _GZIP, self.packed
        whole = Response(body, headers=headers, media_type=self.media_type)
        return evaluate_condition(request, whole)


def _accepts_gzip(codings: str) -> bool:
    """Return whether Accept-Encoding gives gzip a weight above 0 (RFC 9110 §12.5.3)."""
    for element in codings.lower().split(","):
        coding, _, weight = element.partition(";")
        if coding.strip() in {_GZIP, "x-gzip"}:
            return weight.replace(" ", "").removeprefix("q=").strip("0.") != "" or not weight
    return False
