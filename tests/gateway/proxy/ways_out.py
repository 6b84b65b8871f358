"""Kinds of calls, and the ways out of one after its service was asked."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gateway.ledger.record_draft import AccessRecordDraft
from gateway.operations.model import KIB, MIB
from tests.support.fake_upstream import NAMED, Behind, Door, answer
from tests.support.waiting import eventually

DOSSIER = "H26.14-240823-0001"
TOLD = f"{NAMED}X-Dossier: {DOSSIER}\r\n"
FILED = answer(b"{}", TOLD, "201 Created")
NOT_MODIFIED = answer(b"", TOLD, "304 Not Modified")
FORBIDDEN = answer(b"{}", status="403 Forbidden")
REFUSED = answer(b"{}", status="422 Unprocessable Content")
HALF = answer(b"x" * 4 * MIB, TOLD, "201 Created")[: 2 * MIB]
BODY = b'{"n": 1}'


@dataclass(frozen=True)
class Kind:
    """A kind of call: `recorded`, not only noted; `changes`, does not only read."""

    line: str
    body: bytes = b""
    recorded: bool = True
    personal: bool = True
    changes: bool = False

    @property
    def announced(self) -> bool:
        """Return whether the call is given to the ledger before its service is asked."""
        return self.recorded and self.changes

    @property
    def sent(self) -> bytes:
        head = f"{self.line} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


KINDS = {
    "personal read": Kind("GET /dossier/v1/dossiers/H26-1"),
    "verification": Kind("POST /identity/v1/verifications", BODY),
    "filing": Kind("POST /dossier/v1/dossiers", BODY, changes=True),
    "move": Kind("POST /dossier/v1/dossiers/H26-1/transitions", BODY, changes=True),
    "list": Kind("GET /dossier/v1/dossiers", recorded=False),
    "push": Kind("POST /sync/v1/dossiers", BODY, recorded=False, changes=True),
    "grant": Kind("POST /identity/v1/grants", BODY, changes=True, personal=False),
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
    def told(self) -> Sequence[AccessRecordDraft]:
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


async def caller_leaves_while_its_record_is_written(case: Case) -> None:
    """Hang up on a call that is old enough to be watched, once the service has answered."""
    case.door.records.open.clear()
    before = asyncio.all_tasks()
    reader, writer = await case.ask()
    await eventually(lambda: _is_watched(asyncio.all_tasks() - before))
    case.go.set()
    await _hang_up_once_told(case, reader, writer)
    await eventually(lambda: len(case.told) == 2)
    case.door.records.open.set()


async def caller_leaves_while_a_304_is_recorded(case: Case) -> None:
    case.reply = NOT_MODIFIED
    await caller_leaves_while_its_record_is_written(case)


async def caller_leaves_while_a_403_is_recorded(case: Case) -> None:
    case.reply = FORBIDDEN
    await caller_leaves_while_its_record_is_written(case)


async def caller_leaves_while_a_422_is_recorded(case: Case) -> None:
    case.reply = REFUSED
    await caller_leaves_while_its_record_is_written(case)


async def caller_leaves_a_quick_call_while_it_is_recorded(case: Case) -> None:
    case.door.records.open.clear()
    case.go.set()
    reader, writer = await case.ask()
    await _hang_up_once_told(case, reader, writer)
    case.door.records.open.set()


async def _hang_up_once_told(
    case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await eventually(lambda: case.told)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


def _is_watched(tasks: set[asyncio.Task[object]]) -> bool:
    return any("_end_when_gone" in repr(task.get_coro()) for task in tasks)


async def caller_leaves_within_the_answer(case: Case) -> None:
    case.reply = HALF
    case.go.set()
    reader, writer = await case.ask()
    assert b" 201 " in await reader.readline()
    writer.transport.abort()
    await _told_that_it_broke(case)


async def service_breaks_off_within_its_answer(case: Case) -> None:
    case.reply, case.hangs_up = HALF, True
    case.go.set()
    reader, writer = await case.ask()
    assert b" 201 " in await reader.readline()
    with suppress(ConnectionError):
        await reader.read()
    writer.close()
    await _told_that_it_broke(case)


async def _told_that_it_broke(case: Case) -> None:
    """Return once there is a record after the one that came before a long answer began."""
    await eventually(lambda: len(case.told) == 1 + case.kind.recorded)


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
