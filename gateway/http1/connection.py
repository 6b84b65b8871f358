"""Implement one HTTP/1.1 connection to an upstream service, with one call at a time.

A general client would cost measurable time in each call. This one supports no redirects, cookies,
compression, proxies, upgrades or HEAD, because the gateway needs none of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.http1.deadline import Deadline

# These bound a head, and bytes that carry no body: chunk sizes and trailers.
MAX_HEAD_BYTES, MAX_HEADERS = 64 * 1024, 256
# Reading pauses when the caller is this many bytes behind the service.
_READ_AHEAD = 64 * 1024
_LENGTH = b"content-length"
_FRAMING = frozenset({_LENGTH, b"transfer-encoding"})
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUSES = range(200, 600)

Payload = bytes | AsyncIterator[bytes] | None


class BrokenOffError(Exception):
    """The service closed the connection before its answer was complete, or sent no valid HTTP."""


class Connection(asyncio.Protocol):
    """A connection to an upstream service.

    `status` and `headers` (names in lower case) belong to the last answer. `lost` is called when
    the connection has ended. At any time one task may read and one may write.
    """

    def __init__(self, lost: Callable[["Connection"], None]) -> None:
        self._notify_lost = lost
        # Before Python 3.12, `get_running_loop` costs a system call.
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._ahead = self._overhead = 0
        # These state whether the head and the end of the present answer were received.
        self._headed = self._ended = True
        self._keepable = self._paused = False
        # This is true if the last bytes had a piece of body, or an interim answer, in them.
        self._progressed = False
        self._broken = self._silent = False
        self._given = True
        self._changed: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._sending: asyncio.Task[None] | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.content_length: int | None = None
        # The service names its epoch in a challenge; until then it is empty.
        self.epoch = b""

    @property
    def is_silent(self) -> bool:
        """Return whether no byte was received since the request."""
        return self._silent

    @property
    def is_request_sent(self) -> bool:
        """Return whether the whole request was sent, or is in this process's last buffer."""
        return self._given

    @property
    def is_at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def is_idle(self) -> bool:
        """Return whether the last call is complete and both sides keep the connection open."""
        whole = self.is_at_end and self._given and self._keepable
        return whole and not self._broken and not self._transport.is_closing()

    async def send_request(self, head: bytes, payload: Payload) -> None:
        """Send a request and wait for the head of its answer; raise BrokenOffError."""
        self.headers, self._overhead = [], 0
        self._headed = self._ended = self._keepable = False
        self._silent = True
        self._given = payload is None or isinstance(payload, bytes)
        if payload is None or isinstance(payload, bytes):
            self._sending = None
            self._transport.write(head + payload if payload else head)
        else:
            self._sending = asyncio.create_task(self._send_chunked_body(head, payload))
        while not self._headed:
            await self._await_change()

    async def read_body_piece(self) -> bytes:
        """Return the next bytes of the body, empty at its end; raise BrokenOffError."""
        while not self._pieces:
            if self._ended:
                return b""
            await self._await_change()
        taken = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._ahead = [], 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return taken

    async def iterate_body_pieces(self, silence_s: float) -> AsyncIterator[bytes]:
        """Yield the rest of the body.

        Raise BrokenOffError, or TimeoutError if no piece arrives for `silence_s` seconds.
        """
        while not self.is_at_end:
            with Deadline(silence_s):
                piece = await self.read_body_piece()
            if piece:
                yield piece

    def close(self) -> None:
        """Close at once and drop unsent bytes."""
        if self._sending:
            self._sending.cancel()
        self._transport.abort()

    async def _await_change(self) -> None:
        if self._broken:
            raise BrokenOffError
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _notify_change(self) -> None:
        if self._changed and not self._changed.done():
            self._changed.set_result(None)

    async def _send_chunked_body(self, head: bytes, payload: AsyncIterator[bytes]) -> None:
        """Send the body in chunks, no faster than the service reads them.

        The head is sent with the first chunk, so a body that fails at its start sends nothing.
        """
        try:
            async for piece in payload:
                await self._writable.wait()
                if self._broken:
                    return
                if piece:
                    self._transport.write(b"%b%x\r\n%b\r\n" % (head, len(piece), piece))
                    head = b""
            self._transport.write(head + b"0\r\n\r\n")
            self._given = True
        except Exception:  # noqa: BLE001 -- the body keeps the failure; the service gets an incomplete request
            self._break_connection_off()

    def _break_connection_off(self) -> None:
        self._broken = True
        self._transport.abort()
        self._notify_change()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._broken = True
        self._writable.set()
        self._notify_change()
        self._notify_lost(self)

    def data_received(self, data: bytes) -> None:
        self._silent = self._progressed = False
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):  # the parser wraps the errors of its callbacks
            self._break_connection_off()
            return
        self._overhead = 0 if self._progressed else self._overhead + len(data)
        if self._overhead > MAX_HEAD_BYTES:
            self._break_connection_off()
        elif self._ahead > _READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._notify_change()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def on_message_begin(self) -> None:
        if self._headed:
            raise BrokenOffError  # an unrequested answer would pass for the next one

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # a trailer is dropped
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < HTTPStatus.OK:
            self.headers, self._progressed = [], True
            return
        size = sum([len(name) + len(value) for name, value in self.headers])
        framing = [header for header in self.headers if header[0] in _FRAMING]
        if (
            size > MAX_HEAD_BYTES
            or len(self.headers) > MAX_HEADERS
            or not self._has_clear_end(framing)
        ):
            raise BrokenOffError
        lengths = [int(value) for name, value in framing if name == _LENGTH]
        self.content_length = lengths[0] if lengths else None
        self._headed = True

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._ahead += len(piece)
        self._progressed = True

    def on_message_complete(self) -> None:
        if self._headed:
            self._ended, self._keepable = True, self._parser.should_keep_alive()

    def _has_clear_end(self, framing: Sequence[tuple[bytes, bytes]]) -> bool:
        """Return whether the end of the answer is unambiguous.

        A body that ends with its connection may be truncated, so it is refused.
        """
        ends = len(framing) == 1 or (not framing and self.status in _BODILESS)
        chunked = all(name == _LENGTH or value.lower() == b"chunked" for name, value in framing)
        http_1 = self._parser.get_http_version().startswith("1.")
        return ends and chunked and http_1 and self.status in _STATUSES
