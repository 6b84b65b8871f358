"""One connection to a service behind, HTTP/1.1, one call after the other.

It knows what the gateway needs and no more, because a general client would be felt in each call: no
redirects, cookies, compression, proxies or upgrades, and no HEAD, which no operation has.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.http1.deadline import Wait

# A head, and whatever else is said without a byte of body: chunk sizes, trailers.
MOST_HEAD, MOST_HEADERS = 64 * 1024, 256
# From here on a service that answers faster than the caller reads has to wait.
_READ_AHEAD = 64 * 1024
_LENGTH = b"content-length"
_FRAMING = frozenset({_LENGTH, b"transfer-encoding"})
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUSES = range(200, 600)

Payload = bytes | AsyncIterator[bytes] | None


class BrokenOffError(Exception):
    """The service hung up before its answer was whole, or what it says is no HTTP."""


class Connection(asyncio.Protocol):
    """`status` and `headers` (names in lower case) are those of the last answer.

    `lost` is told when the other side has hung up. Of the tasks of this process one at a time
    reads, and one writes.
    """

    def __init__(self, lost: Callable[["Connection"], None]) -> None:
        self._tell_lost = lost
        # Kept, because to ask for it is a system call before Python 3.12.
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._ahead = self._overhead = 0
        # Of the present answer: whether its head and its end have come.
        self._headed = self._ended = True
        self._keepable = self._paused = False
        # Whether the last bytes had a piece of body, or an interim answer, in them.
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
        # That the service on the other side has named; empty until then.
        self.epoch = b""

    @property
    def silent(self) -> bool:
        """Not a byte came since it was asked."""
        return self._silent

    @property
    def given(self) -> bool:
        """Return whether the whole request went out, or is in this process's last buffer."""
        return self._given

    @property
    def at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def idle(self) -> bool:
        """The whole answer was taken, the whole request given, and both sides will go on."""
        whole = self.at_end and self._given and self._keepable
        return whole and not self._broken and not self._transport.is_closing()

    async def ask(self, head: bytes, payload: Payload) -> None:
        """Returns when the head of the answer has come; raises BrokenOffError."""
        self.headers, self._overhead = [], 0
        self._headed = self._ended = self._keepable = False
        self._silent = True
        self._given = payload is None or isinstance(payload, bytes)
        if payload is None or isinstance(payload, bytes):
            self._sending = None
            self._transport.write(head + payload if payload else head)
        else:
            self._sending = asyncio.create_task(self._send(head, payload))
        while not self._headed:
            await self._change()

    async def read(self) -> bytes:
        """What has come of the body, or comes next; nothing at its end. Raises BrokenOffError."""
        while not self._pieces:
            if self._ended:
                return b""
            await self._change()
        taken = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._ahead = [], 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return taken

    async def pieces(self, silence_s: float) -> AsyncIterator[bytes]:
        """The rest of the body; raises BrokenOffError, and TimeoutError after such a silence."""
        while not self.at_end:
            with Wait(silence_s):
                piece = await self.read()
            if piece:
                yield piece

    def close(self) -> None:
        """At once: nothing that waits to be sent is sent."""
        if self._sending:
            self._sending.cancel()
        self._transport.abort()

    async def _change(self) -> None:
        if self._broken:
            raise BrokenOffError
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _tell(self) -> None:
        if self._changed and not self._changed.done():
            self._changed.set_result(None)

    async def _send(self, head: bytes, payload: AsyncIterator[bytes]) -> None:
        """In chunks, no faster than the service takes them; nothing before the first has come."""
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
        except Exception:  # noqa: BLE001 -- the body keeps what failed; the service gets no whole one
            self._break_off()

    def _break_off(self) -> None:
        self._broken = True
        self._transport.abort()
        self._tell()

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._broken = True
        self._writable.set()
        self._tell()
        self._tell_lost(self)

    def data_received(self, data: bytes) -> None:
        self._silent = self._progressed = False
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):  # the parser wraps what is raised below
            self._break_off()
            return
        self._overhead = 0 if self._progressed else self._overhead + len(data)
        if self._overhead > MOST_HEAD:
            self._break_off()
        elif self._ahead > _READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._tell()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._headed:
            raise BrokenOffError  # what nobody asked for would be taken for the next answer

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headed:  # a trailer is dropped
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < HTTPStatus.OK:
            self.headers, self._progressed = [], True
            return
        size = sum([len(name) + len(value) for name, value in self.headers])
        framing = [each for each in self.headers if each[0] in _FRAMING]
        if size > MOST_HEAD or len(self.headers) > MOST_HEADERS or not self._understood(framing):
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

    def _understood(self, framing: Sequence[tuple[bytes, bytes]]) -> bool:
        """What would end with the connection may be half of what was meant."""
        ends = len(framing) == 1 or (not framing and self.status in _BODILESS)
        chunked = all(name == _LENGTH or value.lower() == b"chunked" for name, value in framing)
        http_1 = self._parser.get_http_version().startswith("1.")
        return ends and chunked and http_1 and self.status in _STATUSES
