"""A caller that sends any bytes, and reads what comes back byte by byte."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.operations.model import KIB

PATIENCE_S = 90.0
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [\x20-\x7e]*)?")
_NO_BODY = frozenset({204, 304})


@dataclass
class Told:
    """One answer; `whole` where its end came as its own head said."""

    status: int
    headers: list[tuple[str, bytes]]
    body: bytes = b""
    whole: bool = False

    def all(self, name: str) -> list[bytes]:
        return [value for known, value in self.headers if known == name]


@dataclass
class Wire:
    """One connection, without a library that would mend what is sent or hide what is answered."""

    socket: socket.socket
    heard: bytearray = field(default_factory=bytearray)
    ended: bool = False
    informed: list[int] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        """What nobody reads any more is no error: the answer to the rest may be there."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.get_running_loop().sock_sendall(self.socket, data)
        except ConnectionError:
            return

    async def more(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                data = await asyncio.get_running_loop().sock_recv(self.socket, 64 * KIB)
        except ConnectionError:
            data = b""
        self.heard += data
        self.ended = not data
        return bool(data)

    async def answer(self, *, to_head: bool = False) -> Told | None:
        """The next final answer; None where the connection ended without one."""
        while True:
            while b"\r\n\r\n" not in self.heard:
                if not await self.more():
                    assert not self.heard, f"half an answer: {self.heard[:200]!r}"
                    return None
            line, *fields = self._take(self.heard.index(b"\r\n\r\n") + 4)[:-4].split(b"\r\n")
            found = _STATUS_LINE.fullmatch(line)
            assert found, line
            status = int(found[1])
            if status >= 200:
                break
            self.informed.append(status)
        parted = [each.split(b": ", 1) for each in fields]
        told = Told(status, [(name.decode().lower(), value) for name, value in parted])
        await self._body(told, bodiless=to_head or status in _NO_BODY)
        return told

    async def _body(self, told: Told, *, bodiless: bool) -> None:
        lengths, codings = told.all("content-length"), told.all("transfer-encoding")
        assert len(lengths) + len(codings) <= 1, told.headers
        if bodiless:
            told.whole = True
        elif codings:
            await self._chunks(told)
        elif lengths:
            told.whole = await self._exactly(told, int(lengths[0]))
        else:
            raise AssertionError(f"nobody can tell where this answer ends: {told}")

    async def _chunks(self, told: Told) -> None:
        while (size := await self._chunk_size()) is not None:
            if not await self._exactly(told, size) or not await self._skip(b"\r\n"):
                return
            if size == 0:
                told.whole = True
                return

    async def _chunk_size(self) -> int | None:
        while b"\r\n" not in self.heard:
            if not await self.more():
                return None
        return int(self._take(self.heard.index(b"\r\n") + 2), 16)

    async def _exactly(self, told: Told, size: int) -> bool:
        while len(self.heard) < size:
            if not await self.more():
                told.body += self._take(len(self.heard))
                return False
        told.body += self._take(size)
        return True

    async def _skip(self, end: bytes) -> bool:
        while len(self.heard) < len(end):
            if not await self.more():
                return False
        assert self._take(len(end)) == end
        return True

    def _take(self, size: int) -> bytes:
        taken = bytes(self.heard[:size])
        del self.heard[:size]
        return taken

    def shut(self) -> None:
        """Says that nothing more will come, and goes on listening."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Goes away at once: what is under way is lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


@asynccontextmanager
async def connected(port: int, *, hearing: int = 0) -> AsyncIterator[Wire]:
    """`hearing` makes the buffer for what comes as small as that."""
    opened = socket.socket()
    opened.setblocking(False)
    if hearing:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, hearing)
    try:
        await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
        yield Wire(opened)
    finally:
        opened.close()
