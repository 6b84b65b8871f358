"""The gateway between bare sockets, and what a case of the catalogue says must be seen of it."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg
import orjson

from tests.gateway.process import Process
from tests.proxy.caller import Told, Wire, connected
from tests.proxy.upstream import Answering, Asked, Behind

VERIFY = b"/identity/v1/verifications"
LIST = b"/dossier/v1/dossiers"
READ = b"/dossier/v1/dossiers/H26-2026-000001"
SYNC = b"/sync/v1/dossiers"
CALLER = (
    b"Host: mesh\r\nAuthorization: Bearer <token>\r\nX-Request-Id: <id>\r\n"
    b"X-Purpose: 1.001193\r\nX-Officer: officer-1\r\n"
)
# `<size>` becomes the length of all that follows the first head.
SIZED = b"Content-Length: <size>\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
# What one request hides in another: were it carried out, it would be seen behind and on record.
HIDDEN = b"GET " + READ + b" HTTP/1.1\r\n" + CALLER.replace(b"<id>", b"<id>-hidden") + b"\r\n"

ALLOWED = ((200, "allowed"),)
REFUSED = ((400, "refused"),)
BROKEN = ((502, "unknown"),)
# Calls without a client are on record as sums of a minute, whenever that is over.
_OF_CLIENTS = "WHERE client IS NOT NULL"
_INNER = {"x-subject", "x-fields", "x-right", "set-cookie", "connection", "keep-alive", "upgrade"}


def post(fields: bytes = b"", body: bytes = b"", target: bytes = VERIFY) -> bytes:
    """A call with purpose and officer; its framing is the case's own to say."""
    return b"POST " + target + b" HTTP/1.1\r\n" + CALLER + fields + b"\r\n" + body


def get(target: bytes = READ, fields: bytes = b"") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + CALLER + fields + b"\r\n"


@dataclass(frozen=True)
class Case:
    """`sent` goes out in one piece, then a good call on the same connection.

    `answered` are the statuses of what was sent; `closes`, whether the connection ends after them,
    so that the good call, and whatever hides before it, is not read. `passed_on` is how many
    requests arrive behind, `recorded` what the ledger tells of them: status and outcome. `inside`
    and `outside` are headers of the first request behind and of the first answer (None: absent),
    `body` what arrives behind.

    The body of a `broken` case has no valid end. The gateway may find that before or after it has
    passed the head on, so such a request arrives once or not at all, and never whole.
    """

    name: str
    sent: bytes
    answered: tuple[int, ...] = (400,)
    closes: bool = False
    passed_on: int = 0
    recorded: tuple[tuple[int, str], ...] = ()
    reply: bytes | Answering | None = None
    inside: Mapping[str, bytes | None] = field(default_factory=dict)
    outside: Mapping[str, bytes | None] = field(default_factory=dict)
    body: bytes | None = None
    broken: bool = False

    def __str__(self) -> str:
        return self.name


def passes(name: str, sent: bytes, **more: object) -> Case:
    """Looks odd, and is a call like any other."""
    seen: dict[str, object] = {"answered": (200,), "passed_on": 1, "recorded": ALLOWED}
    return Case(name, sent, **(seen | more))  # type: ignore[arg-type]  # the table's own words


def unread(name: str, sent: bytes, status: int = 400) -> Case:
    """No request at all: refused by the server in front, before there is a call to record."""
    return Case(name, sent, (status,), closes=True)


@dataclass
class Seen:
    """`answers` are those to what was sent, without that to the good call after it."""

    answers: list[Told]
    after: Told | None


@dataclass
class Stage:
    gateway: Process
    behind: Behind
    ledger: asyncpg.Pool
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    ids: set[str] = field(default_factory=set)

    def new_id(self, name: str) -> str:
        slug = re.sub("[^a-z0-9]+", "-", name.lower())[:40]
        request_id = f"{next(self.numbers):04d}-{slug:_<8}"
        self.ids.add(request_id)
        return request_id

    def wire(self, sent: bytes, request_id: str) -> bytes:
        token = self.gateway.headers["Authorization"].removeprefix("Bearer ").encode()
        filled = sent.replace(b"<token>", token).replace(b"<id>", request_id.encode())
        _, _, rest = filled.partition(b"\r\n\r\n")
        return filled.replace(b"<size>", b"%d" % len(rest))

    async def hold(self, case: Case) -> Seen:
        """Plays it; everything that it says must be so, and nothing else may be."""
        earlier, request_id = set(self.ids), self.new_id(case.name)
        if case.reply is not None:
            self.behind.replies[request_id] = case.reply
        came, written = len(self.behind.asked), await self.written()
        seen = await self.play(case, request_id)
        heard = tuple(told.status for told in seen.answers)
        assert heard == case.answered, heard
        assert (seen.after is None) is case.closes, "the connection goes on, or does not"
        for told in seen.answers:
            assert_fit_for_outside(told)
        await self.behind.receive_all_sent()
        asked = [each for each in self.behind.asked[came:] if not is_after(each.request_id)]
        await self.assert_inside(case, asked)
        assert_headers(case.outside, seen.answers[0].headers if seen.answers else [])
        await self.good_call()
        # A call that outlived its caller may be completed while a later case is played.
        rows = [
            row
            for row in await self.records(written)
            if not is_after(row["request_id"]) and row["request_id"] not in earlier
        ]
        recorded = tuple((row["status"], row["outcome"]) for row in rows[:-1])
        assert recorded == case.recorded, recorded
        return seen

    async def play(self, case: Case, request_id: str) -> Seen:
        closing = get(fields=b"Connection: close\r\n").replace(b"<id>", b"<id>-after")
        async with connected(self.gateway.port) as wire:
            await wire.send(self.wire(case.sent, request_id))
            await wire.send(self.wire(closing, request_id))
            answers = await hear_out(wire, case.sent)
        own = [f"{request_id}-after".encode()]
        after = answers.pop() if answers and answers[-1].all("x-request-id") == own else None
        return Seen(answers, after)

    async def assert_inside(self, case: Case, asked: Sequence[Asked]) -> None:
        """What came behind is what the case says, and could be read in one way only."""
        assert self.behind.unclean == []
        for each in asked:
            if case.broken:
                await each.left.wait()
        arrived = [each.whole for each in asked]
        right = [[], [False]] if case.broken else [[True] * case.passed_on]
        assert arrived in right, [(each.line, each.whole) for each in asked]
        assert not [each for each in asked if each.request_id.endswith("-hidden")]
        if asked:
            assert_headers(case.inside, asked[0].headers)
            assert case.body is None or asked[0].body == case.body

    async def good_call(self, sent: bytes | None = None) -> None:
        """Whoever comes next is served; what was noted before is then durable too."""
        async with connected(self.gateway.port) as wire:
            await wire.send(self.wire(sent or get(), self.new_id("good")))
            told = await wire.answer()
        assert told, "the gateway serves nobody any more"
        assert (told.status, told.body, told.whole) == (200, b"{}", True)

    async def written(self) -> int:
        count: int = await self.ledger.fetchval(f"SELECT count(*) FROM access_record {_OF_CLIENTS}")
        return count

    async def records(self, after: int = 0) -> list[dict[str, object]]:
        """In the order in which they were sealed."""
        order = "ORDER BY chain, number, index"
        query = f"SELECT record FROM access_record {_OF_CLIENTS} {order} OFFSET $1"
        rows = await self.ledger.fetch(query, after)
        return [orjson.loads(row["record"]) for row in rows]

    async def records_of(self, request_id: str) -> list[dict[str, object]]:
        return [row for row in await self.records() if row["request_id"] == request_id]


def is_after(request_id: object) -> bool:
    return str(request_id).endswith("-after")


async def hear_out(wire: Wire, sent: bytes) -> list[Told]:
    """All answers until the gateway ends the connection."""
    answers = list[Told]()
    while told := await wire.answer(to_head=sent.startswith(b"HEAD ") and not answers):
        answers.append(told)
    return answers


def assert_headers(wanted: Mapping[str, bytes | None], found: Sequence[tuple[str, bytes]]) -> None:
    for name, value in wanted.items():
        there = [each for known, each in found if known == name]
        assert there == ([] if value is None else [value]), name


def assert_fit_for_outside(told: Told) -> None:
    """Whole, without what is said inside only, and each error of ours a problem."""
    assert told.whole
    assert not _INNER & {name for name, value in told.headers if value != b"close"}
    if told.status >= 400 and told.body:
        assert told.all("content-type") == [b"application/problem+json"], told.body
        assert orjson.loads(told.body)["status"] == told.status
