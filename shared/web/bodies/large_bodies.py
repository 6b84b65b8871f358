"""Bound the memory of large request bodies, and parse them outside the event loop.

Parsing holds the interpreter's lock, so the event loop stalls for as long as one call into C;
`strict_json` bounds that.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from json import JSONDecodeError
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers

from shared.texts.translatable import Translatable
from shared.web.bodies.shares import Shares, ShareTaken, StockTaken
from shared.web.bodies.strict_json import loads_strict
from shared.web.bodies.validation_messages import MAX_FAULTS, RefusedBody
from shared.web.calls.call_guard import PROVED_CALL
from shared.web.calls.call_mac import BODY_LENGTH, ProvedCall
from shared.web.problems import Problem

KIB, MIB = 1024, 1024 * 1024
# The largest body that any operation of the gateway accepts.
MAX_BODY_BYTES: Final = 8 * MIB
LARGE_BYTES: Final = 64 * KIB
# The total of all large bodies in one process. One client holds one of the largest size, or a third
# of the total in several, so a largest body of another client always has room.
MAX_HELD_BYTES: Final = 2 * MAX_BODY_BYTES
# Each body takes several times its size in memory while it is parsed.
LANES: Final = 1
ROOM_WAIT_S: Final = 5.0
RETRY_AFTER: Final = MappingProxyType({"Retry-After": "5"})
_LENGTH: Final = BODY_LENGTH.decode()
# No model accepts Ellipsis, and FastAPI reads no attributes of it as it would of other objects.
NO_BODY: Final = ...


class OversizedBody(Problem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The body is larger than this operation accepts"
    type = "/problems/body-too-large"
    advice = f"Send at most {MAX_BODY_BYTES} bytes; a push to /sync/v1 can be sent in several."


class LargeBodiesUnderWay(Problem):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many large bodies are being processed"
    type = "/problems/large-bodies-under-way"
    headers = RETRY_AFTER
    advice = (
        "Nothing was changed: other large bodies use all memory reserved for them. Try again after "
        f"the seconds of Retry-After. A body of at most {LARGE_BYTES} bytes is always accepted."
    )


class OwnLargeBodiesUnderWay(Problem):
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many large bodies of one client are being processed"
    type = "/problems/own-large-bodies-under-way"
    headers = RETRY_AFTER
    advice = (
        "Nothing was changed: your other bodies use the memory that one client may use. Send large "
        "bodies one after the other, each without a pause and with its Content-Length; try again "
        "after the seconds of Retry-After."
    )


def measure_large_body(headers: Headers) -> int:
    """Return the number of bytes to reserve for a body, 0 for a small one; raise OversizedBody.

    A body of unknown length counts as the largest. For a chunked body the gateway states the
    length that its caller announced.
    """
    whole, streamed = headers.get("content-length"), "transfer-encoding" in headers
    length = headers.get(_LENGTH, "") if whole is None else whole
    if not length.isascii() or not length.isdigit():
        return MAX_BODY_BYTES if streamed else 0
    if int(length) > MAX_BODY_BYTES:
        raise OversizedBody
    if int(length) > LARGE_BYTES:
        return int(length)
    return LARGE_BYTES if streamed else 0


class LargeBodies:
    """Reserve memory for the large bodies of one process, and limit how many are parsed at once."""

    def __init__(self) -> None:
        self._room = Shares(MAX_HELD_BYTES)
        self._freed = asyncio.Condition()
        self._lanes = asyncio.Semaphore(LANES)

    @property
    def held(self) -> int:
        return self._room.taken

    @asynccontextmanager
    async def room_for(self, size: int, holder: str) -> AsyncIterator[None]:
        """Reserve `size` bytes for a holder until the request is answered.

        Raise LargeBodiesUnderWay or OwnLargeBodiesUnderWay if they do not become free in time.
        """
        await self._take(size, holder)
        try:
            yield
        finally:
            self._room.give_back(holder, size)
            async with self._freed:
                self._freed.notify_all()

    async def _take(self, size: int, holder: str) -> None:
        refusal: type[Problem] = LargeBodiesUnderWay
        try:
            async with asyncio.timeout(ROOM_WAIT_S), self._freed:
                while True:
                    try:
                        self._room.take(holder, size)
                    except StockTaken:
                        refusal = LargeBodiesUnderWay
                    except ShareTaken:
                        refusal = OwnLargeBodiesUnderWay
                    else:
                        return
                    await self._freed.wait()
        except TimeoutError:
            raise refusal from None

    async def read(self, body: bytes, shape: TypeAdapter[Any]) -> Any:
        """Return the validated body, or RefusedBody; raise JSONDecodeError."""
        async with self._lanes:
            return await asyncio.to_thread(_parse_body, body, shape)


def find_holder(request: Request) -> str:
    """Return the client of the proved call, or an empty text, which all other calls share."""
    call: ProvedCall | None = request.scope.get(PROVED_CALL)
    return (call and call.client) or ""


def find_large_bodies(app: FastAPI) -> LargeBodies:
    if not hasattr(app.state, "large_bodies"):
        app.state.large_bodies = LargeBodies()
    bodies: LargeBodies = app.state.large_bodies
    return bodies


class LargeRequest(Request):
    """A request whose JSON is validated before FastAPI receives it.

    FastAPI accepts an instance of the model unchanged. In place of an invalid body it receives
    NO_BODY, which it refuses after the dependencies, in the order of a small body; `problems` reads
    the faults from the state of the request.
    """

    def __init__(
        self, request: Request, bodies: LargeBodies, shape: TypeAdapter[Any], size: int
    ) -> None:
        """Read at most `size` bytes, which are reserved."""
        super().__init__(request.scope, request.receive)
        self._bodies, self._shape, self._size = bodies, shape, size

    async def stream(self) -> AsyncGenerator[bytes, None]:
        size = 0
        async for piece in super().stream():
            size += len(piece)
            if size > self._size:
                # FastAPI passes on only this class of error.
                raise HTTPException(OversizedBody.status, OversizedBody.advice)
            yield piece

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            read = await self._bodies.read(await self.body(), self._shape)
            if isinstance(read, RefusedBody):
                self.state.refused_body, read = read, NO_BODY
            self._json = read
        return self._json


def _parse_body(body: bytes, shape: TypeAdapter[Any]) -> Any:
    value = loads_strict(body)
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        first = [fault | {"loc": ("body", *fault["loc"])} for fault in errors[:MAX_FAULTS]]
        return RefusedBody(first, error.error_count())
    except RecursionError:
        raise JSONDecodeError(Translatable("It is nested too deeply"), "", 0) from None
