"""What a caller says of itself: once, readable, and never in the gateway's own words."""

import pytest

from gateway.operations.model import KIB
from tests.proxy.harness import CALLER, READ, REFUSED, SIZED, Case, Stage, get, passes, post, unread

FORGED = b"forged"
TYPED = b"Content-Type: application/json\r\n"


def said(old: bytes, new: bytes) -> bytes:
    return get().replace(old, new, 1)


def officer(name: bytes) -> bytes:
    return said(b"officer-1", name)


def refused(name: str, sent: bytes) -> Case:
    return Case(name, sent, recorded=REFUSED)


def refused_unproven(name: str, sent: bytes) -> Case:
    """Make a case that is refused before a client is proven: such calls are summed."""
    return Case(name, sent)


def fields(count: int) -> bytes:
    return b"".join(b"X-A%d: b\r\n" % number for number in range(count))


def forging(name: bytes) -> Case:
    """However it is spelt, the service behind hears the gateway's word or none."""
    return passes(f"forged {name.decode()}", get(fields=name + b": " + FORGED + b"\r\n"))


HOSTS = [
    refused("no Host", said(b"Host: mesh\r\n", b"")),
    refused("Host empty", said(b"Host: mesh", b"Host:")),
    refused("two Hosts", get(fields=b"Host: inside\r\n")),
    refused("two Hosts that agree", get(fields=b"host: mesh\r\n")),
    refused("Host with a space", said(b"mesh", b"me sh")),
    refused("Host with a name before it", said(b"mesh", b"a@mesh")),
    refused("Host with a path", said(b"mesh", b"mesh/inside")),
    refused("Host with a letter above ASCII", said(b"mesh", "mésh".encode())),
    refused("Host missing beside an absolute form", said(b"Host: mesh", b"Host: http://mesh")),
    passes("Host with a port", said(b"mesh", b"[::1]:8000")),
]

SIZES = [
    passes("ninety headers", get(fields=fields(90))),
    unread("two hundred headers", get(fields=fields(200)), 431),
    passes("header of 20 KiB", get(fields=b"X-A: " + b"a" * 20 * KIB + b"\r\n")),
    unread("header of 200 KiB", get(fields=b"X-A: " + b"a" * 200 * KIB + b"\r\n"), 431),
    unread("header of a megabyte", get(fields=b"X-A: " + b"a" * KIB * KIB + b"\r\n"), 431),
    unread(
        "headers of 200 KiB together", get(fields=(b"X-A: " + b"a" * 4 * KIB + b"\r\n") * 50), 431
    ),
    unread("header's name of 200 KiB", get(fields=b"X" * 200 * KIB + b": a\r\n"), 431),
    refused("officer's name too long", officer(b"a" * 65)),
    refused("purpose too long", said(b"1.001193", b"a" * 201)),
]

SHAPES = [
    unread("header on a folded line", get(fields=b"X-A: a\r\n b\r\n")),
    unread("space before the colon", get(fields=b"X-A : a\r\n")),
    unread("header without a name", get(fields=b": a\r\n")),
    unread("header without a colon", get(fields=b"X-A\r\n")),
    unread("NUL in a name", get(fields=b"X\x00A: a\r\n")),
    unread("parenthesis in a name", get(fields=b"X(A): a\r\n")),
    unread("name above ASCII", get(fields=b"X\xe9: a\r\n")),
    unread("space before the first header", get().replace(b"Host", b" Host")),
    unread("NUL in a value", get(fields=b"X-A: a\x00b\r\n")),
    unread("return in a value", get(fields=b"X-A: a\rb\r\n")),
    refused("value that is no UTF-8", get(fields=b"X-A: \xff\xfe\r\n")),
    passes("empty lines before the request", b"\r\n\r\n" + get()),
]

SPOKEN = [
    refused("two types of one body", post(TYPED + TYPED + SIZED, b"{}")),
    refused("two types in other case", post(TYPED + TYPED.lower() + SIZED, b"{}")),
    refused("two versions to change", post(b'If-Match: "1"\r\nIf-Match: "2"\r\n' + SIZED, b"{}")),
    refused("two keys of one change", post(b"Idempotency-Key: a\r\n" * 2 + SIZED, b"{}")),
    refused_unproven("two tokens", get(fields=b"Authorization: Bearer other\r\n")),
    refused_unproven("two tokens in other case", get(fields=b"AUTHORIZATION: Bearer <token>\r\n")),
    refused_unproven("two purposes", get(fields=b"x-purpose: 1.001193\r\n")),
    refused_unproven("two officers", get(fields=b"X-OFFICER: officer-1\r\n")),
    refused_unproven("two dossiers", get(fields=b"X-Dossier: H26-2026-000001\r\n" * 2)),
    refused("other dossier than the path's", get(fields=b"X-Dossier: H26-2026-000002\r\n")),
    refused("purpose empty", said(b"1.001193", b"")),
    refused("purpose of blanks", said(b"1.001193", b" \t ")),
    refused_unproven("officer in Latin-1", officer(b"Nguy\xean")),
    refused("officer with a tab", officer(b"a\tb")),
    refused("officer with a next-line sign", officer("a\u0085X-Right: forged".encode())),
    refused("officer with a line separator", officer("a\u2028forged".encode())),
    refused("officer written right to left", officer("a\u202eforged".encode())),
    unread("officer with NUL", officer(b"a\x00b")),
    unread("officer with a return", officer(b"a\rX-Right: forged")),
    unread("officer with an escape sequence", officer(b"a\x1b[2Jforged")),
    # One header more, which is dropped as any forged one is.
    passes("officer with a line feed", officer(b"officer-1\nX-Fields: forged")),
    refused("officer with an encoded line break", officer(b"a%0d%0aX-Right: forged")),
    refused("officer's name as people write it", officer("Đỗ Thị Mai".encode())),
    passes(
        "officer's address at its agency",
        officer(b"mai.do@hanoi.gov.vn"),
        inside={"x-officer": b"mai.do@hanoi.gov.vn"},
    ),
    Case(
        "token with a line break encoded",
        said(b"<token>", b"a%0d%0aX-Right: forged"),
        (401,),
    ),
    Case(
        "no token",
        b"GET " + READ + b" HTTP/1.1\r\nHost: mesh\r\n\r\n",
        (401,),
    ),
]

INNER = [
    *map(
        forging,
        (
            b"X-Right",
            b"x-right",
            b"X_Right",
            b"X-RIGHT",
            b"X-Subject",
            b"X_Subject",
            b"X-Fields",
            b"X-Forwarded-For",
            b"X_Forwarded_For",
            b"X-Forwarded-Host",
            b"X-Forwarded-Proto",
            b"X-Forwarded-Prefix",
            b"X-Real-Ip",
            b"Forwarded",
            b"Cookie",
            b"Proxy-Authorization",
            b"Proxy-Connection",
            b"Keep-Alive",
            b"TE",
            b"Trailer",
            b"X_Purpose",
            b"X_Officer",
            b"Traceparent",
            b"X-Client",
            b"X-Agency",
            b"X-Body-Length",
            b"X-Call-Mac",
            b"X_Call_Mac",
        ),
    ),
    passes(
        "header nominated in Connection",
        get(fields=b"Connection: keep-alive, X-A\r\nX-A: forged\r\n"),
        inside={"x-a": None, "connection": None},
    ),
    passes(
        "framing nominated in Connection",
        post(b"Connection: Content-Length, Host\r\n" + SIZED, b"{}"),
        inside={"content-length": b"2"},
        body=b"{}",
    ),
    passes(
        "purpose and officer nominated in Connection",
        get(fields=b"Connection: X-Purpose, X-Officer, Authorization\r\n"),
        inside={"x-purpose": b"1.001193", "x-officer": b"officer-1"},
    ),
    passes(
        "method overridden by a header",
        post(b"X-HTTP-Method-Override: DELETE\r\n" + SIZED, b"{}"),
    ),
]

CASES = [*HOSTS, *SIZES, *SHAPES, *SPOKEN, *INNER]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_header_is_heard_once_or_refused(stage: Stage, case: Case) -> None:
    came, kept = len(stage.behind.asked), await stage.written()
    await stage.hold(case)
    for asked in stage.behind.asked[came:]:
        forged = [name for name, value in asked.headers if value == FORGED]
        assert forged == []
        assert asked.one("x-forwarded-for") == b"127.0.0.1"
        assert len(asked.one("x-right").split(b".")) == 3
    subjects = [row["subjects"] for row in await stage.records(kept)]
    assert "forged" not in str(subjects)


def test_every_way_of_saying_who_calls_is_told_apart() -> None:
    """The cases replace words of the common request: they must be in it."""
    assert all(word in CALLER for word in (b"Host: mesh", b"officer-1", b"1.001193", b"<token>"))
