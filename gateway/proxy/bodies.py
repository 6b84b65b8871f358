"""Read the bodies of request and answer, no further than necessary."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from starlette.types import Message, Receive, Scope

from gateway.http1.connection import Connection, Payload
from gateway.http1.deadline import Deadline, Task
from gateway.operations.model import KIB, MIB, Operation
from gateway.operations.problems import RequestMalformed
from gateway.proxy.headers import find_header
from gateway.proxy.problems import BodyTooLarge, MemoryShareTaken, MemoryTaken
from shared.texts.translatable import Translatable
from shared.web.bodies.shares import Shares, ShareTaken, StockTaken
from shared.web.problems import Problem

# A body up to this size is sent in one piece. The gateway reads this much of a longer one before it
# calls the service, so a slow or broken caller occupies no slot.
_ONE_PIECE = 64 * KIB
# A streamed body holds its beginning, and as much again on its way to the service.
_STREAMED = 2 * _ONE_PIECE
# This bounds all bodies of the process; a share of one holder is at most a third of it.
_PENDING = 32 * MIB
# A streamed body holds a slot, which a caller loses below this rate over the window.
_SLOWEST_PER_S, _WINDOW_S = 16 * KIB, 2.0
# A task that watches for a disconnect costs too much for a shorter call.
_WATCH_AFTER_S = 0.25
# A late answer within this time still completes the record.
LATE_S = 30.0


_memory = Shares(_PENDING)


class CallerGone(Exception):  # noqa: N818 -- a fact about the caller, not an error of the gateway
    """The caller has disconnected and gets no answer."""


class RequestBody:
    """Count, hash and forward the caller's body while it arrives."""

    def __init__(
        self,
        operation: Operation,
        scope: Scope,
        receive: Receive,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._receive, self._loop = receive, loop
        self._limit = operation.body_limit
        self._recorded = operation.recorded
        self._digest: hashlib._Hash | None = None
        self._sha256: str | None = None
        self.size = 0
        # This is true while the next piece has not arrived from the caller.
        self.awaited = False
        self._finish: asyncio.Event | None = None
        # This is the time of the last piece, by the clock of the loop; 0 without a body.
        self.finished_at = 0.0
        # After the body, these wait for the next message of the caller and note its disconnect.
        self._next: asyncio.Future[Message] | None = None
        self._left: asyncio.Event | None = None
        # This keeps the reason of an early end, which the sender to the service cannot see.
        self.failure: Problem | None = None
        # The length is 0 where the caller did not announce it.
        self.announced = _read_announced_length(scope)
        is_refused = self._limit == 0 and _is_chunked(scope)
        if is_refused or self.announced > self._limit:
            raise BodyTooLarge(self._limit)
        self.finished = self.none = self._limit == 0 or (
            self.announced == 0 and not _is_open_ended(scope)
        )
        if self._recorded or not self.none:
            self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str | None:
        """Return the SHA-256 of the whole body in hex; None before its end, or without a body."""
        if self._sha256 is None and self.finished and self._digest:
            self._sha256 = self._digest.hexdigest()
        return self._sha256

    @property
    def recorded_sha256(self) -> str | None:
        return self.sha256 if self._recorded else None

    @contextmanager
    def count_memory(self, holder: str) -> Iterator[None]:
        """Count the memory of this body to `holder`; raise MemoryTaken or MemoryShareTaken."""
        if self.none:
            yield
            return
        amount = self.announced if 0 < self.announced <= _ONE_PIECE else _STREAMED
        try:
            _memory.take(holder, amount)
        except StockTaken:
            raise MemoryTaken from None
        except ShareTaken:
            raise MemoryShareTaken from None
        try:
            yield
        finally:
            _memory.give_back(holder, amount)

    async def read_payload(self) -> Payload:
        """Return a short body whole, a longer one as pieces after its opening has arrived."""
        opening, size = [], 0
        while not self.finished and size <= _ONE_PIECE:
            opening.append(await self._read_next_piece())
            size += len(opening[-1])
        return b"".join(opening) if self.finished else self._iterate_pieces(b"".join(opening))

    async def read_whole(self) -> bytes:
        return b"".join([piece async for piece in self._iterate_pieces()])

    def watch_for_disconnect(self) -> None:
        """Watch for the disconnect of the caller; do nothing before the whole body has arrived."""
        if self.finished and self._left is None:
            self._left = asyncio.Event()
            self._await_next_message()

    def _await_next_message(self) -> None:
        # The server's future is used as it is, without a task; it may accept only one callback.
        self._next = asyncio.ensure_future(self._receive())
        self._next.add_done_callback(self._handle_next_message)

    def _handle_next_message(self, message: "asyncio.Future[Message]") -> None:
        if message.cancelled() or message.exception() or self._left is None:
            return
        if message.result()["type"] == "http.disconnect":
            self._left.set()
        else:
            # The server sends an empty body even for a request without one.
            self._await_next_message()

    def has_caller_left(self) -> bool:
        """Return whether the caller has disconnected since `watch_for_disconnect`."""
        return self._left is not None and self._left.is_set()

    async def wait_until_gone(self) -> None:
        """Wait until the caller has disconnected."""
        if not self.finished:
            self._finish = asyncio.Event()
            await self._finish.wait()
        self.watch_for_disconnect()
        assert self._left
        await self._left.wait()

    def close(self) -> None:
        """Stop watching the caller."""
        if self._next and not self._next.done():
            self._next.cancel()

    async def _iterate_pieces(self, opening: bytes = b"") -> AsyncIterator[bytes]:
        if opening:
            yield opening
        while not self.finished:
            yield await self._read_next_piece()

    async def _read_next_piece(self) -> bytes:
        self.awaited = True
        message = await self._receive()
        self.awaited = False
        if message["type"] == "http.disconnect":
            # The server does not distinguish a disconnect from a malformed body, so the caller may
            # still wait.
            self.failure = RequestMalformed(
                Translatable("Send the whole body, as its length or its chunks say.")
            )
            raise self.failure
        piece: bytes = message.get("body", b"")
        self.size += len(piece)
        if self.size > self._limit:
            self.failure = BodyTooLarge(self._limit)
            raise self.failure
        if self._digest:
            self._digest.update(piece)
        # granian marks the end by a further, empty message, which is not awaited.
        if not message.get("more_body", False) or self.size == self.announced:
            self.finished, self.finished_at = True, self._loop.time()
            if self._finish:
                self._finish.set()
        return piece


class CallerDeadline(Deadline):
    """Cancel the block when the caller disconnects, and raise CallerGone.

    The block goes on without the caller if `outlives` returns true.
    """

    def __init__(self, body: RequestBody, outlives: Callable[[], bool], task: Task) -> None:
        super().__init__(_WATCH_AFTER_S, task)
        self._body, self._outlives = body, outlives
        self._watcher: Task | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watcher:
            self._watcher.cancel()
        try:
            super().__exit__(kind, error, trace)
        except TimeoutError:
            raise CallerGone from None

    def on_expiry(self) -> None:
        self._watcher = asyncio.create_task(self._end_when_gone())

    async def _end_when_gone(self) -> None:
        await self._body.wait_until_gone()
        if not self._outlives():
            self.end()


class ServiceDeadline(Deadline):
    """Give the caller `seconds` for its body, and then the service as many for its answer.

    If `outlives` returns true, a late service gets `LATE_S` more.
    """

    def __init__(
        self,
        seconds: float,
        body: RequestBody,
        outlives: Callable[[], bool],
        task: Task,
    ) -> None:
        super().__init__(seconds if body.finished else min(seconds, _WINDOW_S), task)
        self._whole_s, self._body, self._seen = seconds, body, body.size
        self._since = task.get_loop().time()
        self._outlives, self.is_late = outlives, False

    def on_expiry(self) -> None:
        body, now = self._body, asyncio.get_running_loop().time()
        left = max(self._since, body.finished_at) + self._whole_s - now
        came, self._seen = body.size - self._seen, body.size
        slow = body.awaited and came < _SLOWEST_PER_S * _WINDOW_S
        if left <= 0 and body.finished and not self.is_late and self._outlives():
            self.is_late = True
            self.extend_deadline(LATE_S)
        elif left <= 0 or slow:
            self.end()
        else:
            self.extend_deadline(left if body.finished else min(left, _WINDOW_S))


async def read_answer_opening(connection: Connection, limit: int) -> bytes:
    """Return the first bytes of an answer: all of it, or a little more than `limit`."""
    if limit == 0 or connection.is_at_end:
        return b""
    opening = await connection.read_body_piece()
    if connection.is_at_end:
        return opening
    pieces, size = [opening], len(opening)
    while size < limit and not connection.is_at_end:
        pieces.append(await connection.read_body_piece())
        size += len(pieces[-1])
    return b"".join(pieces)


def _read_announced_length(scope: Scope) -> int:
    value = find_header(scope["headers"], b"content-length")
    if value is None:
        return 0
    if not value.isdigit():
        raise RequestMalformed(Translatable("Send one Content-Length, a number."))
    return int(value)


def _is_open_ended(scope: Scope) -> bool:
    """Return whether the body may have any length; HTTP/2 does not announce an unknown one."""
    return _is_chunked(scope) or not scope["http_version"].startswith("1")


def _is_chunked(scope: Scope) -> bool:
    return find_header(scope["headers"], b"transfer-encoding") is not None
