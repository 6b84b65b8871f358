"""Other methods, other versions, other protocols on this port; and many requests on one line."""

import pytest

from tests.proxy.harness import (
    ALLOWED,
    CALLER,
    CHUNKED,
    CHUNKS,
    LIST,
    READ,
    SIZED,
    Case,
    Stage,
    get,
    passes,
    post,
    unread,
)

WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(193)


def method(word: bytes) -> Case:
    sent = word + b" " + READ + b" HTTP/1.1\r\n" + CALLER + b"\r\n"
    return Case(f"method {word[:20].decode()}", sent, (405,))


def version(word: bytes) -> bytes:
    return get().replace(b"HTTP/1.1", word)


METHODS = [
    *map(
        method, (b"TRACE", b"OPTIONS", b"PUT", b"PATCH", b"DELETE", b"PROPFIND", b"get", b"A" * 99)
    ),
    unread("method with a parenthesis", get().replace(b"GET", b"GE(T")),
    unread("method missing", get().removeprefix(b"GET")),
    Case(
        "CONNECT to somewhere inside",
        b"CONNECT 10.0.0.1:5432 HTTP/1.1\r\n" + CALLER + b"\r\n",
        (404,),
    ),
    Case("CONNECT to a path", b"CONNECT " + LIST + b" HTTP/1.1\r\n" + CALLER + b"\r\n", (405,)),
    Case("OPTIONS of everything", b"OPTIONS * HTTP/1.1\r\n" + CALLER + b"\r\n", (404,)),
]

VERSIONS = [
    passes("HTTP/1.0", version(b"HTTP/1.0"), closes=True),
    passes(
        "HTTP/1.0 without a Host", version(b"HTTP/1.0").replace(b"Host: mesh\r\n", b""), closes=True
    ),
    unread("HTTP/1.0 in chunks", post(CHUNKED, CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0")),
    unread("HTTP/0.9", b"GET " + READ + b"\r\n"),
    unread("HTTP/1.2", version(b"HTTP/1.2")),
    unread("HTTP/2.0 in words", version(b"HTTP/2.0")),
    unread("HTTP/1.10", version(b"HTTP/1.10")),
    unread("version in small letters", version(b"http/1.1")),
    unread("version of another protocol", version(b"ICY/1.1")),
]

PROTOCOLS = [
    Case("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), (), closes=True),
    unread("hello of TLS", CLIENT_HELLO),
    unread("greeting of SSH", b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    unread("header of the PROXY protocol", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + get()),
    unread("bytes from 0 to 255", bytes(range(256))),
    unread("nothing but NUL", bytes(500)),
    passes(
        "upgrade to a websocket",
        get(fields=WEBSOCKET),
        inside={"upgrade": None, "connection": None},
    ),
    passes("upgrade of a list to a websocket", get(LIST, WEBSOCKET)),
    passes("upgrade to HTTP/2", get(fields=H2C), inside={"upgrade": None, "http2-settings": None}),
    passes(
        "body announced, then sent without waiting",
        post(b"Expect: 100-continue\r\n" + SIZED, b"{}"),
        inside={"expect": None},
        body=b"{}",
    ),
    *(
        Case(
            f"expectation that nobody knows: {name}",
            post(lines + SIZED, b"{}"),
            (417,),
            recorded=((417, "refused"),),
        )
        for name, lines in {
            "another": b"Expect: 200-ok\r\n",
            "beside the known one": b"Expect: 100-continue, 200-ok\r\n",
            "in a second line": b"Expect: 100-continue\r\nExpect: 200-ok\r\n",
        }.items()
    ),
    passes(
        "expectation in other case",
        post(b"Expect: 100-Continue\r\n" + SIZED, b"{}"),
        inside={"expect": None},
    ),
    Case(
        "body announced, and too large to be asked for",
        post(b"Expect: 100-continue\r\nContent-Length: 70000\r\n"),
        (413,),
        closes=True,
        recorded=((413, "refused"),),
    ),
]

PIPELINES = [
    Case(
        "three calls at once",
        get() + get(LIST) + post(b"Content-Length: 2\r\n", b"{}"),
        (200, 200, 200),
        passed_on=3,
        recorded=ALLOWED * 3,
    ),
    Case(
        "a wrong path among three",
        get() + get(b"/nothing") + get(LIST),
        (200, 404, 200),
        passed_on=2,
        recorded=ALLOWED * 2,
    ),
    Case(
        "a refused call among three",
        get() + get(fields=b"X-Purpose: 1\r\n") + get(LIST),
        (200, 400, 200),
        passed_on=2,
        # It is refused before its client is proven, and so summed.
        recorded=ALLOWED * 2,
    ),
    Case(
        "no request after a good one",
        get() + b"\0" * 20,
        (200, 400),
        closes=True,
        passed_on=1,
        recorded=ALLOWED,
    ),
    Case(
        "nothing read after a call that closes",
        get(fields=b"Connection: close\r\n") + get(),
        (200,),
        closes=True,
        passed_on=1,
        recorded=ALLOWED,
    ),
    Case(
        "a hundred calls at once", get() * 100, (200,) * 100, passed_on=100, recorded=ALLOWED * 100
    ),
]

CASES = [*METHODS, *VERSIONS, *PROTOCOLS, *PIPELINES]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_line_carries_calls_of_this_protocol_only(stage: Stage, case: Case) -> None:
    await stage.hold(case)
