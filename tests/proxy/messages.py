"""RFC 9112: lines, targets, framing and connections of HTTP/1.1."""

from tests.proxy.harness import (
    ALLOWED,
    CHUNKED,
    CHUNKS,
    HIDDEN,
    LIST,
    READ,
    REFUSED,
    SIZED,
    Case,
    get,
    post,
    unread,
)
from tests.proxy.requirement import CRLF, END, Requirement, ask, refuse

MESSAGES = [
    Requirement(
        "9112-2.2-empty", "an empty line before a request SHOULD be ignored", ask(CRLF + get())
    ),
    Requirement(
        "9112-2.2-lf",
        "a single LF MAY end a line",
        ask(
            post(b"Content-Length: 2\r\n", b"{}").replace(CRLF, b"\n"),
            inside={"content-length": b"2"},
            body=b"{}",
        ),
    ),
    Requirement(
        "9112-2.2-cr",
        "a bare CR MUST be refused or replaced",
        unread("cr", post(SIZED, b"{}").replace(CRLF, b"\r") + CRLF * 2),
    ),
    Requirement(
        "9112-2.2-space",
        "space before the first field MUST be refused or dropped",
        unread("space", get().replace(b"Host", b" Host")),
    ),
    Requirement(
        "9112-2.3",
        "another major version is not HTTP/1",
        unread("version", get().replace(b"HTTP/1.1", b"HTTP/2.0")),
    ),
    Requirement(
        "9112-3",
        "an invalid request line SHOULD be answered 400",
        unread("line", get(LIST + b"/a b")),
    ),
    Requirement(
        "9112-3.2-none",
        "a request without Host MUST be answered 400",
        refuse(get().replace(b"Host: mesh\r\n", b"", 1)),
    ),
    Requirement(
        "9112-3.2-two",
        "a request with two Hosts MUST be answered 400",
        refuse(get(fields=b"Host: b\r\n")),
    ),
    Requirement(
        "9112-3.2-invalid",
        "a request with an invalid Host MUST be answered 400",
        refuse(get().replace(b"mesh", b"me sh", 1)),
    ),
    Requirement(
        "9112-3.2-1.0",
        "HTTP/1.0 needs no Host",
        ask(get().replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: mesh\r\n", b""), closes=True),
    ),
    Requirement(
        "9112-3.2.2", "the absolute form MUST be accepted", ask(get(b"http://elsewhere" + READ))
    ),
    Requirement(
        "9112-3.2.3",
        "the authority form is for CONNECT",
        Case("authority", get(b"10.0.0.1:8101"), (404,)),
    ),
    Requirement(
        "9112-3.2.4", "the asterisk form is for OPTIONS", Case("asterisk", get(b"*"), (404,))
    ),
    Requirement(
        "9112-5.1",
        "space before a colon MUST be answered 400",
        unread("colon", get(fields=b"X-A : b\r\n")),
    ),
    Requirement(
        "9112-5.2",
        "a folded line MUST be answered 400, or replaced",
        unread("fold", get(fields=b"X-A: a\r\n b\r\n")),
    ),
    Requirement(
        "9112-6.1-both",
        "length and coding: the coding alone, and the connection ends",
        ask(
            post(SIZED + CHUNKED, END + HIDDEN),
            closes=True,
            body=b"",
            inside={"transfer-encoding": None},
        ),
    ),
    Requirement(
        "9112-6.1-coding",
        "an unknown transfer coding SHOULD be answered 501",
        refuse(post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS)),
    ),
    Requirement(
        "9112-6.1-twice",
        "chunked MUST NOT be applied twice",
        refuse(post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS)),
    ),
    Requirement(
        "9112-6.1-last",
        "chunked MUST be last",
        unread("last", post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKS)),
    ),
    Requirement(
        "9112-6.1-1.0",
        "a coding in HTTP/1.0 is faulty framing",
        unread("1.0", post(CHUNKED, CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0")),
    ),
    Requirement(
        "9112-6.3-differ",
        "lengths that differ MUST be answered 400, and the connection ends",
        unread("differ", post(b"Content-Length: 2\r\nContent-Length: 5\r\n", b"{}   ")),
    ),
    Requirement(
        "9112-6.3-none", "without length and coding there is no content", ask(post(), body=b"")
    ),
    Requirement("9112-7.1", "chunked MUST be decoded", ask(post(CHUNKED, CHUNKS), body=b"{}")),
    Requirement(
        "9112-7.1-size",
        "a chunk size is hexadecimal digits, and MUST NOT overflow",
        Case(
            "size",
            post(CHUNKED, b"fffffffffffffffff\r\n{}"),
            (400,),
            closes=True,
            recorded=REFUSED,
        ),
    ),
    Requirement(
        "9112-7.1.1",
        "unknown chunk extensions MUST be ignored",
        ask(post(CHUNKED, b'2;a="b"\r\n{}\r\n' + END), body=b"{}"),
    ),
    Requirement(
        "9112-7.1.2",
        "trailers MUST NOT be merged into what they could change",
        ask(
            post(CHUNKED, b"2\r\n{}\r\n0\r\nX-Right: forged\r\nContent-Length: 9\r\n\r\n"),
            inside={"content-length": b"2"},
            body=b"{}",
        ),
    ),
    Requirement("9112-9.3", "a connection goes on after an answer", ask(get())),
    Requirement(
        "9112-9.3-1.0",
        "… and ends after one of HTTP/1.0",
        ask(get().replace(b"HTTP/1.1", b"HTTP/1.0"), closes=True),
    ),
    Requirement(
        "9112-9.3.2",
        "pipelined requests are answered in their order",
        Case(
            "pipeline",
            get() + get(b"/nothing") + get(LIST),
            (200, 404, 200),
            passed_on=2,
            recorded=ALLOWED * 2,
        ),
    ),
    Requirement(
        "9112-9.6",
        "nothing is read after Connection: close",
        ask(get(fields=b"Connection: close\r\n") + get(), closes=True),
    ),
]
