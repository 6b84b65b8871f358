"""Where one request ends: what hides in another is never carried out, whoever reads it how."""

import pytest

from gateway.operations.model import KIB
from tests.proxy.harness import (
    ALLOWED,
    CHUNKED,
    CHUNKS,
    HIDDEN,
    LIST,
    REFUSED,
    SIZED,
    SYNC,
    VERIFY,
    Case,
    Stage,
    get,
    passes,
    post,
    unread,
)

TOO_LARGE = ((413, "refused"),)
CRLF = b"\r\n"
END = b"0\r\n\r\n"


def coded(value: bytes) -> bytes:
    return post(b"Transfer-Encoding: " + value + CRLF, CHUNKS)


def long(value: bytes) -> bytes:
    return post(b"Content-Length: " + value + CRLF, b"{}   ")


LENGTHS = [
    unread("length with a sign", long(b"+5")),
    unread("length below zero", long(b"-1")),
    unread("length in hexadecimal", long(b"0x5")),
    unread("length as a list", long(b"5, 5")),
    unread("length as a fraction", long(b"5.0")),
    unread("length in full-width digits", long("５".encode())),
    unread("length empty", long(b"")),
    unread("length of two words", long(b"5 5")),
    unread("length with a vertical tab", long(b"5\x0b")),
    unread("length past 64 bits", long(b"18446744073709551616")),
    unread("length that means open-ended to some", long(b"18446744073709551615"), 431),
    unread(
        "two lengths that differ", post(b"Content-Length: 5\r\nContent-Length: 2\r\n", b"{}   ")
    ),
    passes(
        "two lengths that agree",
        post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"{}   "),
        inside={"content-length": b"5"},
    ),
    unread("space before the length's colon", post(b"Content-Length : 2\r\n", b"{}")),
    unread("length on a folded line", post(b"Content-Length:\r\n 2\r\n", b"{}")),
    passes("length with a zero in front", long(b"05"), inside={"content-length": b"5"}),
]

CODINGS = [
    unread("coding almost chunked", coded(b"xchunked")),
    unread("coding chunked, then identity", coded(b"chunked, identity")),
    unread("coding identity", coded(b"identity")),
    unread("coding in quotes", coded(b'"chunked"')),
    unread("coding with a parameter", coded(b"chunked;q=1")),
    unread("coding after a vertical tab", coded(b"\x0bchunked")),
    unread("coding with NUL", coded(b"chunked\x00")),
    unread("coding empty", coded(b"")),
    unread("coding on a folded line", coded(CRLF + b" chunked")),
    unread("space before the coding's colon", post(b"Transfer-Encoding : chunked\r\n", CHUNKS)),
    unread("space before the coding's name", post(b" Transfer-Encoding: chunked\r\n", CHUNKS)),
    Case("coding identity, then chunked", coded(b"identity, chunked"), recorded=REFUSED),
    Case("coding gzip, then chunked", coded(b"gzip, chunked"), recorded=REFUSED),
    Case("coding chunked twice", coded(b"chunked, chunked"), recorded=REFUSED),
    Case("two codings in two lines", post(CHUNKED + CHUNKED, CHUNKS), recorded=REFUSED),
    Case(
        "coding identity in a line of its own",
        post(b"Transfer-Encoding: identity\r\n" + CHUNKED, CHUNKS),
        recorded=REFUSED,
    ),
    passes("coding in other case", coded(b"CHUNKED"), body=b"{}"),
    passes(
        "coding with an underscore",
        post(b"Transfer_Encoding: chunked\r\n" + SIZED, b"{}"),
        body=b"{}",
        inside={"transfer_encoding": None, "content-length": b"2"},
    ),
]

# RFC 9112 §6.1: read by the coding alone, and nothing more is read on that connection.
SMUGGLED = [
    passes(
        "length that covers a hidden request, and a coding that does not",
        post(SIZED + CHUNKED, END + HIDDEN),
        closes=True,
        body=b"",
    ),
    passes(
        "coding that does not cover a hidden request, and a length that does",
        post(CHUNKED + SIZED, END + HIDDEN),
        closes=True,
        body=b"",
    ),
    passes(
        "length that ends before the chunks do",
        post(CHUNKED + b"Content-Length: 4\r\n", CHUNKS),
        closes=True,
        body=b"{}",
    ),
    Case(
        "request in the body of one that takes none",
        get(fields=SIZED) + HIDDEN,
        (413,),
        recorded=TOO_LARGE,
    ),
    Case(
        "request in a chunk of one that takes no body",
        get(fields=CHUNKED) + b"%x\r\n" % 700 + b"G" * 700 + CRLF + END,
        (413,),
        recorded=TOO_LARGE,
    ),
    Case(
        "no chunk of one that takes no body", get(fields=CHUNKED) + END, (413,), recorded=TOO_LARGE
    ),
    Case(
        "request in the body of one that nobody may make",
        b"POST " + VERIFY + b" HTTP/1.1\r\nHost: mesh\r\n" + SIZED + CRLF + HIDDEN,
        (401,),
    ),
    Case("request in the body of a path unknown", post(SIZED, HIDDEN, b"/nothing"), (404,)),
    Case(
        "request in the body of a wrong method",
        post(SIZED, HIDDEN).replace(b"POST", b"PUT"),
        (405,),
    ),
    passes("request in the body, as a body", post(SIZED, HIDDEN)),
    passes(
        "request in a chunk, as a body", post(CHUNKED, b"%x\r\n" % 700 + b"G" * 700 + CRLF + END)
    ),
    Case(
        "request in a body too large to be read on",
        post(SIZED, b"x" * 70_000 + HIDDEN),
        (413,),
        closes=True,
        recorded=TOO_LARGE,
    ),
    Case(
        "body longer than said",
        post(b"Content-Length: 2\r\n", b"{}\0garbage"),
        (200, 400),
        closes=True,
        passed_on=1,
        recorded=ALLOWED,
        body=b"{}",
    ),
    Case(
        "body shorter than said takes in what follows",
        post(b"Content-Length: 9\r\n", b"{}"),
        (200, 400),
        closes=True,
        passed_on=1,
        recorded=ALLOWED,
        body=b"{}GET /do",
    ),
    passes(
        "lines that end without a return",
        post(b"Content-Length: 2\r\n", b"{}").replace(CRLF, b"\n"),
    ),
    unread("lines that end without a feed", post(SIZED, b"{}").replace(CRLF, b"\r") + CRLF * 2),
    unread("return within a value", post(b"X-A: b\rTransfer-Encoding: chunked\r\n" + SIZED, b"{}")),
]


def chunk(name: str, body: bytes) -> Case:
    """Nobody can tell where it ends: answered, on record as refused, and the connection ends."""
    return Case(name, post(CHUNKED, body), (400,), closes=True, recorded=REFUSED)


CHUNK_FAULTS = [
    chunk("chunk size that is no number", b"zz\r\n{}\r\n" + END),
    chunk("chunk size below zero", b"-2\r\n{}\r\n" + END),
    chunk("chunk size with a sign", b"+2\r\n{}\r\n" + END),
    chunk("chunk size with a prefix", b"0x2\r\n{}\r\n" + END),
    chunk("chunk size with an underscore", b"1_0\r\n" + b"x" * 16 + CRLF + END),
    chunk("chunk size past 64 bits", b"fffffffffffffffff\r\n{}"),
    chunk("chunk size empty", b"\r\n{}\r\n" + END),
    chunk("chunk size after a space", b" 2\r\n{}\r\n" + END),
    chunk("chunk lines that end without a return", b"2\n{}\n0\n\n"),
    chunk("chunk extension with a line feed", b"2;a\nb\r\n{}\r\n" + END),
    chunk("chunk extension without end", b"2;" + b"a" * 20_000 + b"\r\n{}\r\n" + END),
    passes("chunk extension", post(CHUNKED, b'2;a="b"\r\n{}\r\n' + END), body=b"{}"),
    passes(
        "forged headers in a trailer",
        post(CHUNKED, b"2\r\n{}\r\n0\r\nX-Right: forged\r\nContent-Length: 9\r\n\r\n"),
        inside={"content-length": b"2"},
        body=b"{}",
    ),
    passes("chunk size with zeros in front", post(CHUNKED, b"0002\r\n{}\r\n" + END), body=b"{}"),
    chunk("chunk longer than said", b"2\r\n{}xx\r\n" + END),
    chunk("chunk without its end of line", b"2\r\n{}" + END),
    chunk("trailer without a colon", b"2\r\n{}\r\n0\r\nno colon\r\n\r\n"),
    chunk("trailer without end", b"2\r\n{}\r\n0\r\nX-A: " + b"a" * 40_000 + CRLF * 2),
]

LONG_CHUNK = b"186a0\r\n" + b"x" * 100_000


def breaks(name: str, end: bytes) -> Case:
    """A body too long to be gathered: it is passed on as it comes, and then has no valid end."""
    sent = post(CHUNKED, LONG_CHUNK + end, SYNC)
    return Case(name, sent, (400,), closes=True, recorded=REFUSED, broken=True)


BROKEN_STREAMS = [
    breaks("long chunk longer than said", b"xx\r\n" + END),
    breaks("long chunk without its end of line", END),
    breaks("trailer without a colon after a long chunk", b"\r\n0\r\nno colon\r\n\r\n"),
    breaks("trailer without end after a long chunk", b"\r\n0\r\nX-A: " + b"a" * 40_000 + CRLF * 2),
]

BODIES = [
    Case(
        "body over the limit, unannounced",
        post(CHUNKED, b"10001\r\n" + b"x" * (64 * KIB + 1) + CRLF + END),
        (413,),
        recorded=TOO_LARGE,
    ),
    Case(
        "body over the limit, announced",
        post(b"Content-Length: 65537\r\n"),
        (413,),
        closes=True,
        recorded=TOO_LARGE,
    ),
    Case(
        "body of an exabyte, announced",
        post(b"Content-Length: 1152921504606846976\r\n"),
        (413,),
        closes=True,
        recorded=TOO_LARGE,
    ),
    Case(
        "chunk of an exabyte",
        post(CHUNKED, b"fffffffffffffff\r\n" + b"x" * 70_000),
        (413,),
        closes=True,
        recorded=TOO_LARGE,
    ),
    Case(
        "body where none is taken",
        get(LIST, b"Content-Length: 1\r\n") + b"x",
        (413,),
        recorded=TOO_LARGE,
    ),
    passes("JSON a hundred thousand deep", post(SIZED, b"[" * 60_000, SYNC), body=b"[" * 60_000),
    passes("body that is no text", post(SIZED, bytes(range(256)) * 8), body=bytes(range(256)) * 8),
    passes("call without a body where one is due", post(), body=b""),
]

CASES = [*LENGTHS, *CODINGS, *SMUGGLED, *CHUNK_FAULTS, *BROKEN_STREAMS, *BODIES]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_framing_is_read_in_one_way_or_refused(stage: Stage, case: Case) -> None:
    await stage.hold(case)
