import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aiohttp import ClientSession
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Message
from yarl import URL

from gateway.ledger.records import AccessOutcome
from gateway.operations.model import KIB, MIB
from tests.support.fake_upstream import NAMED, Behind, Door, answer, door_before
from tests.support.waiting import eventually

VERIFY = "/identity/v1/verifications"
LIST = "/dossier/v1/dossiers"
SYNC = "/sync/v1/dossiers"


async def test_request_and_answer_pass_unchanged(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    behind.reply = answer(b'{"a": 1}', "Content-Type: application/json\r\nETag: W/7\r\n")
    url = URL(f"{door.url}{LIST}?q=a%2Fb&q=%C3%A1", encoded=True)
    headers = {"X-Office": "Hòa", "Accept": "text/x"}
    async with caller.get(url, headers=headers) as response:
        assert (response.status, await response.read()) == (200, b'{"a": 1}')
        assert response.headers["ETag"] == "W/7"
        assert response.headers["Content-Type"] == "application/json"
    (asked,) = behind.asked
    assert asked.line == f"GET {LIST}?q=a%2Fb&q=%C3%A1 HTTP/1.1"
    assert asked.headers["x-office"] == "Hòa"
    assert asked.headers["accept"] == "text/x"
    assert asked.headers["host"] == behind.address.removeprefix("http://")


async def test_gateway_adds_its_own_headers(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    parent = f"00-{'1' * 32}-{'2' * 16}-01"
    sent = {"X-Request-Id": "request-0001", "traceparent": parent}
    async with caller.get(f"{door.url}{LIST}", headers=sent) as response:
        assert response.headers["X-Request-Id"] == "request-0001"
    headers = behind.asked[0].headers
    assert headers["x-right"] == "signed by the gateway"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-request-id"] == "request-0001"
    assert headers["traceparent"] == parent


@pytest.mark.parametrize("malformed", ["", "x", "00-" + "0" * 32 + "-" + "2" * 16 + "-01", "é" * 9])
async def test_malformed_ids_are_replaced(
    door: Door, behind: Behind, caller: ClientSession, malformed: str
) -> None:
    sent = {"X-Request-Id": malformed[:5], "traceparent": malformed}
    await (await caller.get(f"{door.url}{LIST}", headers=sent)).read()
    headers = behind.asked[0].headers
    version, trace, _, flags = headers["traceparent"].split("-")
    assert (version, len(trace), flags) == ("00", 32, "01")
    # An id of its own: one is the caller's to choose, the other the trace's.
    assert str(UUID(headers["x-request-id"])) == headers["x-request-id"]
    assert UUID(headers["x-request-id"]).hex != trace


async def test_traced_call_has_a_span_between_the_callers_and_the_services(
    behind: Behind, caller: ClientSession
) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    sent = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    async with door_before(behind, tracer=provider.get_tracer("gateway")) as door:
        await (await caller.get(f"{door.url}{LIST}", headers=sent)).read()
        (span,) = await eventually(kept.get_finished_spans)
    assert span.parent
    assert (span.name, f"{span.parent.span_id:016x}") == (f"GET {LIST}", "2" * 16)
    assert (span.attributes or {})["http.response.status_code"] == 200
    own = span.get_span_context()
    assert own
    inside = behind.asked[0].headers["traceparent"]
    assert inside == f"00-{'1' * 32}-{own.span_id:016x}-01"


async def test_headers_that_only_the_gateway_may_set_are_dropped(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    forged = {
        "X-Right": "mine",
        "x_right": "mine",
        "X-Subject": "mine",
        "X-Fields": "mine",
        "X-Forwarded-For": "mine",
        "X-Forwarded-Host": "mine",
        "Forwarded": "for=mine",
        "X-Real-Ip": "mine",
        "Cookie": "mine=1",
        "TE": "mine",
        "Proxy-Authorization": "mine",
        "Authorization": "Bearer mine",
        "X-Client": "mine",
        "X-Agency": "mine",
        "X-Body-Length": "mine",
        "X-Call-Mac": "mine",
        "Connection": "keep-alive, X-Named",
        "X-Named": "mine",
    }
    await (await caller.get(f"{door.url}{LIST}", headers=forged)).read()
    headers = behind.asked[0].headers
    assert not [name for name, value in headers.items() if "mine" in value]
    assert headers["x-right"] == "signed by the gateway"
    assert "connection" not in headers


async def test_inner_headers_do_not_leave(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    hidden = "Set-Cookie: a=1\r\nConnection: X-Inner\r\nX-Inner: 1\r\nServer: inner\r\n"
    behind.reply = answer(b"{}", NAMED + hidden)
    async with caller.get(f"{door.url}{LIST}") as response:
        shown = {name.lower() for name in response.headers}
        assert not shown & {"x-subject", "x-fields", "set-cookie", "x-inner"}
        assert response.headers.getall("Server") == ["uvicorn"]


async def test_compressed_answer_and_redirect_pass_as_they_are(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    packed = gzip.compress(b"{}" * 100)
    behind.reply = answer(packed, "Content-Encoding: gzip\r\n")
    async with caller.get(f"{door.url}{LIST}") as response:
        assert await response.read() == packed
    behind.reply = answer(b"", "Location: http://elsewhere/\r\n", "307 Temporary Redirect")
    async with caller.get(f"{door.url}{LIST}", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "http://elsewhere/")
    assert behind.connections == 1


@pytest.mark.parametrize("end", ["", "/"])
async def test_redirect_within_a_service_does_not_tell_its_address(
    behind: Behind, caller: ClientSession, end: str
) -> None:
    inside = behind.address
    behind.reply = answer(b"", f"Location: {inside}{LIST}/1\r\n", "307 Temporary Redirect")
    behind.address += end
    async with (
        door_before(behind) as door,
        caller.get(f"{door.url}{LIST}", allow_redirects=False) as response,
    ):
        assert (response.status, response.headers["Location"]) == (307, f"{LIST}/1")


async def test_path_outside_the_table_is_the_gateways_own(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    async with caller.get(f"{door.url}/docs") as response:
        assert await response.text() == "the gateway's own"
    assert behind.asked == []


async def test_long_body_is_streamed_on(door: Door, behind: Behind, caller: ClientSession) -> None:
    body = b"0123456789abcdef" * 64 * KIB
    async with caller.post(f"{door.url}{SYNC}", data=body) as response:
        assert response.status == 200
    assert behind.asked[0].body == body


async def test_short_body_is_sent_with_its_length(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    await (await caller.post(f"{door.url}{VERIFY}", data=b"{}")).read()
    assert behind.asked[0].headers["content-length"] == "2"


@pytest.mark.parametrize("announced", [True, False])
async def test_body_over_the_limit_is_refused(
    door: Door, behind: Behind, caller: ClientSession, announced: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b"x" * KIB

    body = b"x" * 65 * KIB if announced else pieces()
    async with caller.post(f"{door.url}{VERIFY}", data=body) as response:
        told = await response.json(content_type=None)
    assert (told["status"], told["limit"]) == (413, 64 * KIB)
    assert behind.asked == []
    (record,) = door.records.recorded
    assert record.outcome is AccessOutcome.REFUSED


async def test_body_where_none_is_taken_is_refused(door: Door, caller: ClientSession) -> None:
    async with caller.get(f"{door.url}{LIST}", data=b"x") as response:
        assert response.status == 413


async def test_body_that_does_not_arrive_is_given_up(door: Door, behind: Behind) -> None:
    door.timeout_s = 0.2
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = f"POST {VERIFY} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    assert behind.asked == []


@pytest.mark.parametrize("value", [b"\xff\xfe", b"a\x01b"])
async def test_unreadable_header_is_refused(door: Door, behind: Behind, value: bytes) -> None:
    sent: list[Message] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "raw_path": LIST.encode(),
        "path": LIST,
        "query_string": b"",
        "headers": [(b"x-office", value)],
        "client": ("127.0.0.1", 1),
    }

    async def collect(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        raise AssertionError("a call without a body is not read")

    await door.app(scope, nothing, collect)
    assert sent[0]["status"] == 400
    await door.app(scope | {"headers": [], "query_string": b"a b"}, nothing, collect)
    assert sent[2]["status"] == 400
    assert behind.asked == []


async def test_memory_stays_flat_under_a_long_answer(
    door: Door, behind: Behind, caller: ClientSession
) -> None:
    size, piece = 48 * MIB, b"x" * 64 * KIB

    async def reply(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()

    behind.reply = reply
    tracemalloc.start()
    try:
        response = await caller.get(f"{door.url}{LIST}")
        received = sum([len(each) async for each in response.content.iter_any()])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received == size
    assert peak < 4 * MIB
