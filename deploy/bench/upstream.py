"""The upstreams behind gateway and nginx: raw ASGI, and the least FastAPI application.

`?size=` gives the bytes of the answer. The body of a request is read to its end.
"""

from functools import cache
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

PATH = "/dossier/v1/procedures/1.001193"
PIECE = 64 * 1024
USUAL = 1024


async def null(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the request and answer, as raw ASGI without a framework."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    size = _size(scope["query_string"])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for left in range(size, 0, -PIECE):
        piece = {"type": "http.response.body", "body": _body(min(left, PIECE))}
        await send(piece | {"more_body": left > PIECE})


@cache
def _size(query: bytes) -> int:
    return int(parse_qs(query.decode()).get("size", [str(USUAL)])[0])


@cache
def _body(size: int) -> bytes:
    return b"x" * size


@cache
def _make_payload(size: int) -> dict[str, str]:
    return {"payload": "x" * size}


def fastapi() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get(PATH)
    async def read(size: int = USUAL) -> dict[str, str]:
        return _make_payload(size)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    return app
