"""Kinds of calls, and the ways out of one after its service was asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.forwarding import Exchange
from gateway.upstreams import KIB
from tests.gateway.wire import NAMED, Behind, Door, answer
from tests.waiting import eventually

DOSSIER = "H26.14-240823-0001"
FILED = answer(b"{}", f"{NAMED}X-Dossier: {DOSSIER}\r\n", "201 Created")
REFUSED = answer(b"{}", status="422 Unprocessable Content")
BODY = b'{"n": 1}'


@dataclass(frozen=True)
class Kind:
    """`announced`: given to the ledger before the service is asked; `recorded`: not only noted."""

    line: str
    body: bytes = b""
    recorded: bool = True
    personal: bool = True
    announced: bool = False

    @property
    def sent(self) -> bytes:
        head = f"{self.line} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


KINDS = {
    "personal read": Kind("GET /dossier/v1/dossiers/H26-1"),
    "verification": Kind("POST /identity/v1/verifications", BODY),
    "filing": Kind("POST /dossier/v1/dossiers", BODY, announced=True),
    "move": Kind("POST /dossier/v1/dossiers/H26-1/transitions", BODY, announced=True),
    "list": Kind("GET /dossier/v1/dossiers", recorded=False),
    "push": Kind("POST /sync/v1/dossiers", BODY, recorded=False),
    "grant": Kind("POST /identity/v1/grants", BODY, announced=True, personal=False),
}


@dataclass
class Case:
    """One call on its way out. `go` lets the service speak, which then says `reply`."""

    door: Door
    behind: Behind
    kind: Kind
    reply: bytes = FILED
    hangs_up: bool = False
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.behind.reply = self._speak

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.go.wait()
        writer.write(self.reply)
        await writer.drain()
        if not self.hangs_up:
            await reader.read(1)

    async def ask(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        writer.write(self.kind.sent)
        await eventually(lambda: self.behind.asked)
        return reader, writer

    async def answered(self) -> int:
        """Ask, and return the status of the answer."""
        reader, writer = await self.ask()
        line = await reader.readline()
        writer.close()
        return int(line.split()[1])

    @property
    def told(self) -> Sequence[Exchange]:
        """The records, or notes, that are not the announcement."""
        if not self.kind.recorded:
            return self.door.records.noted
        return self.door.records.recorded[self.kind.announced :]


async def caller_leaves(case: Case) -> None:
    _, writer = await case.ask()
    writer.close()
    await eventually(lambda: case.told)
    case.go.set()


async def caller_leaves_and_nothing_comes(case: Case) -> None:
    case.door.timeout_s, case.reply, case.hangs_up = 1.0, b"", True
    _, writer = await case.ask()
    writer.close()
    await eventually(lambda: case.told)
    case.go.set()


async def caller_leaves_before_a_refusal(case: Case) -> None:
    case.reply = REFUSED
    await caller_leaves(case)


async def caller_closes_its_half_at_once(case: Case) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", case.door.port)
    writer.write(case.kind.sent)
    writer.write_eof()
    await eventually(lambda: case.behind.asked)
    assert await reader.read() == b""
    writer.close()
    case.go.set()


async def service_is_late(case: Case) -> None:
    case.door.timeout_s = 0.3
    assert await case.answered() == 504
    case.go.set()


async def service_never_answers(case: Case) -> None:
    case.door.timeout_s, case.reply, case.hangs_up = 0.3, b"", True
    assert await case.answered() == 504
    case.go.set()


async def answered_badly(case: Case, reply: bytes) -> None:
    case.reply, case.hangs_up = reply, True
    case.go.set()
    assert await case.answered() == 502


async def service_breaks_off(case: Case) -> None:
    await answered_badly(case, FILED[:-1])


async def service_hangs_up_silently(case: Case) -> None:
    await answered_badly(case, b"")


async def answer_is_no_http(case: Case) -> None:
    await answered_badly(case, b"HTTP/1.1 2000 OK\r\n\r\n")


async def head_is_oversize(case: Case) -> None:
    await answered_badly(case, answer(b"{}", f"X-Long: {'x' * 70 * KIB}\r\n{NAMED}"))


async def answer_names_nobody(case: Case) -> None:
    await answered_badly(case, answer(b"{}", status="201 Created"))
