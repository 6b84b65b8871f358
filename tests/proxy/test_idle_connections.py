"""Connections that say nothing keep nobody out: those of one address are bounded."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.proxy.caller import connected
from tests.proxy.harness import Stage
from tests.support.waiting import eventually

ATTACKER = "127.0.0.9"
# As many as the server took in all, and some.
IDLE = 2_100
# More than it takes in all now.
FLOOD = 9_000
FILES_BESIDE = 1_000
# A third of the 8,192 that the server takes, and some that have just come.
MAX_CONNECTIONS_OF_ONE = 2_800


@pytest.fixture
def files() -> int:
    """How many connections this process can open beside its other files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return int(hard) - FILES_BESIDE


@asynccontextmanager
async def idle(
    stage: Stage, count: int, sent: bytes = b""
) -> AsyncIterator[Sequence[socket.socket]]:
    """So many connections from one address; those that are not taken at once still knock."""
    opened = list[socket.socket]()
    try:
        for number in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            connection.bind((ATTACKER, 0))
            opened.append(connection)
            if connection.connect_ex(("127.0.0.1", stage.gateway.port)) == 0 and sent:
                connection.send(sent)
            if number % 200 == 0:
                await asyncio.sleep(0)
        yield opened
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: mesh\r\nX-A: "])
async def test_idle_connections_of_one_address_keep_nobody_out(
    stage: Stage, files: int, sent: bytes
) -> None:
    if files < IDLE:
        pytest.skip("too few files may be open here: raise the hard limit of `ulimit -n`")

    async def served_meanwhile() -> bool:
        """On a machine that is held up for ten seconds, the server has ended them before."""
        async with idle(stage, IDLE, sent) as connections:
            await stage.good_call()
            return all(map(is_open, connections))

    assert await eventually(served_meanwhile, within=60)


async def test_flood_of_connections_from_one_address_is_shut(stage: Stage, files: int) -> None:
    if files < FLOOD:
        pytest.skip("too few files may be open here: raise the hard limit of `ulimit -n`")
    async with idle(stage, FLOOD):
        await stage.good_call()
        assert await eventually(lambda: counted(stage, b"gateway_connections_shut_total"))

        async def share_kept() -> bool:
            """A third of all at most, and those of this test itself."""
            return await counted(stage, b"gateway_connections_open") < MAX_CONNECTIONS_OF_ONE

        assert await eventually(share_kept, within=60)
        await stage.good_call()


def is_open(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


async def counted(stage: Stage, name: bytes) -> float:
    async with connected(stage.gateway.port) as wire:
        await wire.send(b"GET /metrics HTTP/1.1\r\nHost: mesh\r\n\r\n")
        told = await wire.answer()
    assert told
    (line,) = [each for each in told.body.splitlines() if each.startswith(name + b" ")]
    return float(line.split()[1])
