"""Whatever a service behind says, and however it is cut, the gateway hears one answer or none."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.http1.connection import BrokenOffError, Connection
from tests.fuzz.texts import NEARLY

PATIENCE_S = 90.0
STATUS_LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 Nothing", b"HTTP/1.1 304 As before",
    b"HTTP/1.1 102 Soon", b"HTTP/1.1 101 Switching", b"HTTP/1.1 600 ?", b"HTTP/2 200", b"HTTP",
]  # fmt: skip
FIELDS = [
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 5, 5", b"Content-Length: -1",
    b"Content-Length: +5", b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding : chunked", b"Connection: close",
    b"Connection: upgrade\r\nUpgrade: h2c", b"Folded: a\r\n b", b"X: \x00", b"no colon", b": empty",
]  # fmt: skip
BODIES = [
    b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\r\nhello",
    b"0\r\n\r\n", b"-5\r\nhello\r\n", b"ffffffffffffffffff\r\n", b"",
]  # fmt: skip


def _head(line: bytes, fields: Sequence[bytes], end: bytes) -> bytes:
    return end.join([line, *fields, b"", b""])


HEADS = st.builds(
    _head,
    st.sampled_from(STATUS_LINES),
    st.lists(st.sampled_from(FIELDS) | NEARLY.map(lambda text: f"X: {text}".encode()), max_size=3),
    st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r"]),
)
SAID = st.lists(HEADS | st.sampled_from(BODIES) | st.binary(max_size=30), max_size=5).map(b"".join)
WELL = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@dataclass
class Heard:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    whole: bool = False


@dataclass
class Wire(asyncio.Transport):
    """Ends as a socket does: the connection is told of it a little later, and once."""

    connection: Connection
    closing: bool = field(default=False, init=False)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """The service does not listen."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)


async def hear(pieces: Sequence[bytes]) -> Heard | None:
    """What comes of one call; None where not even the head of an answer does."""
    connection = Connection(lambda _: None)
    wire = Wire(connection)
    connection.connection_made(wire)
    asked = asyncio.create_task(_answer(connection))
    for piece in pieces:
        await asyncio.sleep(0)
        if not wire.is_closing():
            connection.data_received(piece)
    await asyncio.sleep(0)
    wire.abort()
    async with asyncio.timeout(PATIENCE_S):
        return await asked


async def _answer(connection: Connection) -> Heard | None:
    try:
        await connection.send_request(b"GET / HTTP/1.1\r\n\r\n", None)
    except BrokenOffError:
        return None
    heard = Heard(connection.status, connection.headers)
    try:
        while not connection.is_at_end:
            heard.body += await connection.read_body_piece()
    except BrokenOffError:
        return heard
    heard.whole = True
    return heard


def cut(said: bytes, places: set[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(said) + 1) for place in places), len(said)]
    pieces = [said[begin:end] for begin, end in pairwise(edges)]
    return [piece for piece in pieces if piece]


@given(said=SAID, places=st.sets(st.integers(0, 400), max_size=6))
@example(said=WELL, places=set(range(len(WELL))))
@example(said=WELL + WELL, places={len(WELL)})
async def test_answer_of_a_service_is_the_same_however_it_is_cut(
    said: bytes, places: set[int]
) -> None:
    heard = await hear([said] if said else [])
    assert heard == await hear(cut(said, places))
    if heard:
        assert 200 <= heard.status < 600
        assert heard.body in said or b"chunked" in said.lower()


async def test_answer_that_is_well_said_is_heard() -> None:
    heard = await hear(cut(WELL, set(range(len(WELL)))))
    assert heard == Heard(200, [(b"transfer-encoding", b"chunked")], b"hello", whole=True)
