"""The services behind as bare sockets: they answer any bytes, and judge what reaches them."""

import asyncio
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

import httpx

from shared.web.calls.call_mac import SUFFIX_BYTES, sign_body
from tests.support.factories import CALL_KEY, TestAuthority
from tests.support.fake_upstream import NAMED, answer

GOOD = answer(b"{}", NAMED)
_LINE = re.compile(rb"(GET|POST|DELETE) (/[\x21-\x7e]*) HTTP/1\.1")
_FIELD = re.compile(rb"([A-Za-z0-9-]+): ([^\x00-\x08\x0a-\x1f\x7f]*)")


class NotClean(Exception):  # noqa: N818 -- what no service behind should have to read
    """The gateway let bytes through that two servers could read in two ways."""


@dataclass
class Asked:
    """One request as it came; `whole` once its body did."""

    line: bytes
    headers: list[tuple[str, bytes]]
    body: bytes = b""
    whole: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def all(self, name: str) -> list[bytes]:
        return [value for known, value in self.headers if known == name]

    def one(self, name: str) -> bytes:
        (value,) = self.all(name)
        return value

    @property
    def request_id(self) -> str:
        return self.one("x-request-id").decode()


Answering = Callable[[Asked, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Behind:
    """`replies` are by request id: bytes as they are sent, or a function that talks."""

    authority: TestAuthority = field(default_factory=TestAuthority)
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    unclean: list[bytes] = field(default_factory=list)
    replies: dict[str, bytes | Answering] = field(default_factory=dict)
    connections: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        asked = None
        try:
            while asked := await read_head(reader):
                if asked.line.startswith(b"GET /.well-known/jwks.json "):
                    writer.write(self._keys())
                    continue
                # The gateway asks so for the epoch of a service before a body that streams.
                if asked.line.startswith((b"GET /healthz ", b"GET / ")):
                    writer.write(answer(b"{}"))
                    continue
                self.asked.append(asked)
                if not await self._reply(asked, reader, writer):
                    return
        except NotClean as unclean:
            self.unclean.append(unclean.args[0])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections -= 1
            if asked:
                asked.left.set()
            writer.close()

    async def receive_all_sent(self) -> None:
        """Return when each request has been read that was sent before this call.

        The loop accepts connections and reads them in the order in which they came, so that the
        answer to one more request, on a connection of its own, comes after all of them.
        """
        address = httpx.URL(self.address)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: behind\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async def _reply(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection goes on."""
        reply = self.replies.get(asked.request_id, GOOD)
        if callable(reply):
            await reply(asked, reader, writer)
            return False
        await read_body(asked, reader)
        writer.write(reply)
        await writer.drain()
        return True

    def _keys(self) -> bytes:
        keys = self.authority._keys(httpx.Request("GET", "http://identity/"))
        return answer(keys.content, "Content-Type: application/json\r\n")


async def read_head(reader: asyncio.StreamReader) -> Asked | None:
    """None at the end of the connection; raises NotClean."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise NotClean(end.partial) from end
        return None
    line, *fields = head[:-4].split(b"\r\n")
    found = [_FIELD.fullmatch(each) for each in fields]
    if not _LINE.fullmatch(line) or not all(found):
        raise NotClean(head)
    asked = Asked(line, [(each[1].decode().lower(), each[2]) for each in found if each])
    lengths, codings = asked.all("content-length"), asked.all("transfer-encoding")
    framed = [*lengths, *codings]
    alone = ("host", "x-right", "x-call-mac", "x-request-id", "traceparent", "x-forwarded-for")
    twice = any(len(asked.all(name)) > 1 for name in (*alone, "x-purpose", "x-officer"))
    if len(framed) > 1 or twice or any(c != b"chunked" for c in codings):
        raise NotClean(head)
    return asked


async def read_body(asked: Asked, reader: asyncio.StreamReader) -> None:
    for length in asked.all("content-length"):
        asked.body = await reader.readexactly(int(length))
    if asked.all("transfer-encoding"):
        while size := await _chunk_size(reader):
            asked.body += await reader.readexactly(size)
            await _expect_line(reader)
        await _expect_line(reader)
    if b" stream " in b"".join(asked.all("x-call-mac")):
        _take_code(asked)
    asked.whole = True


def _take_code(asked: Asked) -> None:
    """Part a streamed body from the code behind it; raises NotClean where that is another's."""
    code = urlsafe_b64decode(asked.one("x-call-mac").split()[-1])
    body, suffix = asked.body[:-SUFFIX_BYTES], asked.body[-SUFFIX_BYTES:]
    if suffix != sign_body(CALL_KEY.get_secret_value().encode(), code, sha256(body).digest()):
        raise NotClean(suffix)
    asked.body = body


async def _chunk_size(reader: asyncio.StreamReader) -> int:
    line = await reader.readuntil(b"\r\n")
    if not re.fullmatch(rb"[0-9a-f]+\r\n", line):
        raise NotClean(line)
    return int(line, 16)


async def _expect_line(reader: asyncio.StreamReader) -> None:
    if (end := await reader.readexactly(2)) != b"\r\n":
        raise NotClean(end)


def saying(*parts: bytes, then: Answering | None = None) -> Answering:
    """Hears the whole request, says the parts, then hangs up or does what follows."""

    async def reply(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await read_body(asked, reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then:
            await then(asked, reader, writer)

    return reply


async def hang(asked: Asked, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Says nothing until the gateway hangs up."""
    await reader.read(1)


@asynccontextmanager
async def services_behind() -> AsyncIterator[Behind]:
    behind, talks = Behind(), set[asyncio.Task[None]]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        talks.add(task)
        task.add_done_callback(talks.discard)
        await behind.talk(reader, writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=2**20)
    behind.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield behind
    server.close()
    for task in talks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*talks, return_exceptions=True)
