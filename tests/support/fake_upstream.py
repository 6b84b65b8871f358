"""Real sockets for the forwarder's tests: a service that answers as told, and a door before it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from opentelemetry.trace import Tracer
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.http1.pool import open_pool
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.operations.matching import Match, match_operation
from gateway.operations.model import Operation, Service
from gateway.proxy.breaker import Breaker
from gateway.proxy.forwarder import Forwarder
from gateway.proxy.headers import find_header
from gateway.proxy.upstream import Upstream
from shared.web.calls.internal_headers import RawHeader
from shared.web.problems import Unavailable
from tests.support.serving import serving

SUBJECT = "ab" * 32
NAMED = f"X-Subject: {SUBJECT}\r\nX-Fields: name, birth_date\r\n"
PATIENCE_S = 60.0
# Who calls, where it is not the usual client.
AS_CLIENT = "X-Test-Client"


def answer(body: bytes, headers: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@dataclass
class Asked:
    """One request as the service behind saw it; header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Behind:
    """A service behind: `reply` is what it sends, or a function that writes to the socket."""

    reply: bytes | Answering = field(default_factory=lambda: answer(b"{}", NAMED))
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.asked.append(await read_request(reader))
                if callable(self.reply):
                    await self.reply(reader, writer)
                    return
                writer.write(self.reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Says nothing until the gateway hangs up."""
    await reader.readexactly(1)


def breaking(part: bytes) -> Answering:
    """Says `part` and hangs up."""

    async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        await writer.drain()

    return reply


async def read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    return Asked(line, headers, body)


@dataclass
class Records:
    """A ledger that keeps what it is given; `open` lets records become durable."""

    recorded: list[AccessRecordDraft] = field(default_factory=list)
    noted: list[AccessRecordDraft] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False

    def __post_init__(self) -> None:
        self.open.set()

    def require_open(self, operation: Operation) -> None:
        """Records are always taken; whether they become durable is another thing."""

    async def record(self, draft: AccessRecordDraft) -> bytes:
        if self.away:
            raise Unavailable
        # The draft may not change after it was handed over.
        self.recorded.append(replace(draft))
        await self.open.wait()
        return b"head=:e30=:, signature=:AA==:"

    def announce(self, draft: AccessRecordDraft) -> None:
        self.recorded.append(replace(draft))

    def note(self, draft: AccessRecordDraft) -> None:
        self.noted.append(replace(draft))


@dataclass
class Door:
    """The forwarder behind uvicorn; `refusal` is what `admit` raises."""

    behind: Behind
    records: Records
    upstream: Upstream
    port: int = 0
    refusal: Exception | None = None
    timeout_s: float = PATIENCE_S
    forwarder: Forwarder | None = None
    admitted: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def admit(
        self, draft: AccessRecordDraft, scope: Scope, parameters: Mapping[str, str]
    ) -> Sequence[RawHeader]:
        client = find_header(scope["headers"], AS_CLIENT.lower().encode())
        draft.client = name = client.decode() if client else "h26-onestop"
        draft.dossier = parameters.get("code")
        if self.refusal:
            raise self.refusal
        self.admitted += 1
        return ((b"x-right", b"signed by the gateway"), (b"x-client", name.encode()))

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same way as from outside, but with this test's patience."""
        assert self.forwarder
        match = match_operation(scope["method"], scope["raw_path"].decode("latin-1"))
        if isinstance(match, Match) and match.operation.service is not Service.GATEWAY:
            hasty = replace(match, operation=replace(match.operation, timeout_s=self.timeout_s))
            await self.forwarder.forward_matched_call(hasty, scope, receive, send)
        else:
            await self.forwarder(scope, receive, send)


async def own_routes(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("the gateway's own")(scope, receive, send)


@asynccontextmanager
async def service_behind(tls: ssl.SSLContext | None = None) -> AsyncIterator[Behind]:
    behind = Behind()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        talks.add(task)
        task.add_done_callback(talks.discard)
        await behind.talk(reader, writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    behind.address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    yield behind
    server.close()
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


@asynccontextmanager
async def door_before(
    behind: Behind,
    *,
    slots: int = 256,
    breaker: Breaker | None = None,
    tracer: Tracer | None = None,
    call_key: bytes | None = None,
) -> AsyncIterator[Door]:
    upstream = Upstream(
        Service.IDENTITY, behind.address, call_key=call_key, slots=slots, breaker=breaker
    )
    door = Door(behind, Records(), upstream)
    async with open_pool() as session:
        door.forwarder = Forwarder(
            dict.fromkeys(Service, upstream),
            session,
            admit=door.admit,
            ledger=door.records,
            local_routes=own_routes,
            tracer=tracer,
        )
        async with serving(door.app) as door.port:
            yield door
