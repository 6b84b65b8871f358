"""A caller can break off, lie about or delay its body: no service is thought worse of for it.

All operations of the services are tried with all ways that are found, each call on a socket of its
own and more of them at a time than failures open a breaker.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.operations.model import KIB, Operation, Service
from gateway.operations.table import OPERATIONS
from tests.conftest import MORE
from tests.proxy.caller import connected
from tests.proxy.harness import CALLER, Stage, get
from tests.proxy.upstream import hang, saying

BEHIND = [each for each in OPERATIONS.values() if each.service is not Service.GATEWAY]
# What any other caller may ask of each service meanwhile.
OF_OTHERS = {
    Service.IDENTITY: get(b"/identity/v1/agencies"),
    Service.DOSSIER: get(b"/dossier/v1/procedures"),
    Service.SYNC: get(b"/sync/v1/indicators"),
}
# A breaker opens after five failures in a row.
AT_ONCE = 6
EXAMPLES = 2

Ending = Literal["close", "reset", "half-close", "stay"]


@dataclass(frozen=True)
class Way:
    """`sent` follows the head in as many pieces; then the caller does `ending`.

    `awaited`: the service has it all, and works on it for as long as somebody waits.
    """

    framing: bytes
    sent: tuple[bytes, ...] = ()
    ending: Ending = "close"
    awaited: bool = False


def _cut(framing: bytes, body: bytes, places: Sequence[int], ending: Ending) -> Way:
    """Part of what was announced, in pieces."""
    edges = sorted(place % (len(body) + 1) for place in places)
    pieces = [body[begin:end] for begin, end in zip([0, *edges], edges, strict=False)]
    return Way(framing, tuple(filter(None, pieces)), ending)


def _chunked(chunks: Sequence[bytes], end: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + end


ENDINGS = st.sampled_from(["close", "reset", "half-close", "stay"])
LEAVING = st.sampled_from(["close", "reset"])
CHUNK_BREAKS = st.sampled_from(
    [b"zz\r\n", b"-1\r\n", b"5\r\nab\r\n0\r\n\r\n", b"ffffffffffffffff1\r\n", b"2\r\n{}X", b"\0",
     b"0\r\nno colon\r\n\r\n", b"2;\n{}\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)  # fmt: skip
CHUNKS = st.lists(st.sampled_from([b"{}", b"x" * 4 * KIB, b"x" * 70 * KIB]), max_size=3)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SIZES = st.sampled_from([1, 2, 100, 64 * KIB, 64 * KIB + 1, 200 * KIB])
OVERSIZE = st.sampled_from([9 * 1024 * KIB, 2**40, 2**63 - 1])


def _sized(size: int) -> bytes:
    return b"Content-Length: %d\r\n" % size


PLACES = st.lists(st.integers(0, 2**20), min_size=1, max_size=3)
WAYS = st.one_of(
    st.builds(Way, st.just(CHUNKED), st.just(()), LEAVING),
    st.builds(
        lambda chunks, end, ending: Way(CHUNKED, (_chunked(chunks, end),), ending),
        CHUNKS,
        CHUNK_BREAKS,
        ENDINGS,
    ),
    st.builds(
        lambda chunks, places, ending: _cut(
            CHUNKED, _chunked([*chunks, b"x"], b"0\r\n\r\n")[:-1], places, ending
        ),
        CHUNKS,
        PLACES,
        LEAVING,
    ),
    st.builds(
        lambda size, places, ending: _cut(_sized(size), b"x" * (size - 1), places, ending),
        SIZES,
        PLACES,
        LEAVING,
    ),
    # More, or less, than was said.
    st.builds(lambda size, ending: Way(_sized(size), (b"{}",), ending), OVERSIZE, LEAVING),
    st.builds(
        lambda size, ending: Way(_sized(size), (b"x" * (size + 20),), ending), SIZES, ENDINGS
    ),
    # All is sent, and nobody waits for the answer.
    st.builds(lambda ending: Way(_sized(2), (b"{}",), ending, awaited=True), LEAVING),
)


@pytest.mark.parametrize("operation", BEHIND, ids=lambda each: each.name)
@settings(max_examples=EXAMPLES * MORE)
@given(ways=st.lists(WAYS, min_size=AT_ONCE, max_size=AT_ONCE))
@example(ways=[Way(CHUNKED)] * AT_ONCE)
@example(ways=[Way(_sized(9))] * AT_ONCE)
@example(ways=[Way(CHUNKED, (b"11800\r\n" + b"x" * 70 * KIB + b"\r\n",))] * AT_ONCE)
@example(ways=[Way(CHUNKED, (b"11800\r\n" + b"x" * 70 * KIB + b"zz\r\n",), "stay")] * AT_ONCE)
async def test_no_way_to_send_a_body_counts_against_the_service(
    stage: Stage, operation: Operation, ways: list[Way]
) -> None:
    await stage.good_call(OF_OTHERS[operation.service])
    before = await failures(stage)
    assert before
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(break_off(stage, stack, operation, way) for way in ways))
        await stage.good_call(OF_OTHERS[operation.service])
    assert await failures(stage) == before


async def break_off(stage: Stage, stack: AsyncExitStack, operation: Operation, way: Way) -> None:
    request_id = stage.new_id("breaks off")
    if way.awaited:
        stage.behind.replies[request_id] = saying(then=hang)
    path = re.sub(r"{(\w+)}", lambda found: VALUES.get(found[1], "a1"), operation.template)
    line = f"{operation.method} {path} HTTP/1.1\r\n".encode()
    wire = await stack.enter_async_context(connected(stage.gateway.port))
    await wire.send(stage.wire(line + CALLER + way.framing + b"\r\n", request_id))
    for piece in way.sent:
        await wire.send(piece)
    match way.ending:
        case "close":
            wire.socket.close()
        case "reset":
            wire.reset()
        case "half-close":
            wire.shut()


VALUES = {"code": "H26-2026-000001"}


async def failures(stage: Stage) -> dict[str, float]:
    """What the gateway counts of each service's failures, and whether a breaker is open."""
    async with connected(stage.gateway.port) as wire:
        await wire.send(b"GET /metrics HTTP/1.1\r\nHost: mesh\r\n\r\n")
        told = await wire.answer()
    assert told
    pattern = re.compile(rb"^(upstream_(?:failures|breaker)\w*{.*}) (\S+)$", re.MULTILINE)
    counted = {name.decode(): float(value) for name, value in pattern.findall(told.body)}
    return {name: value for name, value in counted.items() if "_created" not in name}
