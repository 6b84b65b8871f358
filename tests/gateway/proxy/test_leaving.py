import asyncio

import pytest
from aiohttp import ClientSession

from gateway.ledger.records import AccessOutcome
from gateway.operations.model import MIB
from tests.support.fake_upstream import Behind, Door, answer, hang
from tests.support.waiting import PATIENCE_S, eventually

LIST = "/dossier/v1/dossiers"
SYNC = "/sync/v1/dossiers"


async def test_caller_who_leaves_ends_the_call_behind(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = hang
    request = asyncio.create_task(caller.get(f"{door.url}{LIST}"))
    await eventually(lambda: behind.asked)
    request.cancel()
    await asyncio.wait_for(behind.left.wait(), PATIENCE_S)
    (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, note.outcome) == (499, AccessOutcome.UNKNOWN)
    assert door.upstream.in_flight == 0


async def test_caller_who_leaves_within_the_body_ends_the_call(door: Door, behind: Behind) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = f"POST {SYNC} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
    writer.write(head.encode() + b"x" * 70_000)
    await eventually(lambda: behind.connections)
    writer.close()
    await asyncio.wait_for(behind.left.wait(), PATIENCE_S)
    (note,) = await eventually(lambda: door.records.noted)
    assert (note.status, note.outcome) == (400, AccessOutcome.REFUSED)


async def test_caller_who_leaves_a_stream_ends_it_behind(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await hang(reader, writer)

    behind.reply = reply
    response = await caller.get(f"{door.url}{LIST}")
    # The first piece arrives although the service goes on: an answer is not gathered first.
    assert await response.content.readany() == b"abc"
    response.close()
    await asyncio.wait_for(behind.left.wait(), PATIENCE_S)


async def test_caller_who_takes_nothing_of_its_answer_holds_no_slot(
    door: Door, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.proxy.call._TAKEN_WITHIN_S", 0.3)
    behind.reply = answer(b"x" * 64 * MIB)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(f"GET {LIST} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    await reader.readline()
    (note,) = await eventually(lambda: door.records.noted)
    assert note.outcome is AccessOutcome.FAILED
    await eventually(lambda: door.upstream.in_flight == 0)
    writer.transport.abort()
