"""What a service may answer: passed on whole, or a bad gateway; never in part, or to another."""

import asyncio
import gzip

import pytest

from tests.proxy.harness import ALLOWED, BROKEN, LIST, SIZED, Case, Stage, get, passes, post
from tests.proxy.upstream import GOOD, Answering, Asked, hang, read_body, saying
from tests.support.fake_upstream import NAMED, SUBJECT, answer

OK = b"HTTP/1.1 200 OK\r\n"
WHO = NAMED.encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
SIZE_2 = b"Content-Length: 2\r\n"
BOMB = gzip.compress(bytes(50_000_000))


def broken(name: str, reply: bytes | Answering) -> Case:
    """The caller is told so, and so is the ledger; a change is asked for once and no more."""
    said = saying(reply) if isinstance(reply, bytes) else reply
    sent = post(SIZED, b"{}")
    return Case(name, sent, (502,), passed_on=1, recorded=BROKEN, reply=said)


def framed(name: str, fields: bytes, body: bytes) -> Case:
    return broken(name, OK + WHO + fields + b"\r\n" + body)


def headed(name: str, field: bytes) -> Case:
    return broken(name, OK + WHO + SIZE_2 + field + b"\r\n\r\n{}")


def status(name: str, line: bytes) -> Case:
    return broken(name, line + b"\r\n" + WHO + SIZE_2 + b"\r\n{}")


def bodiless(name: str, answered: int, status_line: str) -> Case:
    """What follows is nobody's: not this caller's, nor, on a connection kept, the next one's."""
    reply = answer(b"{}", NAMED, status_line)
    return passes(name, get(), reply=reply, answered=(answered,), recorded=((answered, "allowed"),))


def fits(name: str, fields: str = "", body: bytes = b"{}", **more: object) -> Case:
    return passes(name, get(), reply=answer(body, NAMED + fields), **more)


async def many_interim(
    asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await read_body(asked, reader)
    writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 5_000 + GOOD)
    await writer.drain()


STATUSES = [
    broken("nothing at all", b""),
    broken("half a status line", b"HTTP/1.1 20"),
    broken("no status", b"HTTP/1.1 \r\n\r\n"),
    broken("answer of HTTP/0.9", b"{}"),
    broken("bytes that are no HTTP", b"\0\1\2\r\n\r\n"),
    broken("greeting of another protocol", b"220 mail ready\r\n\r\n"),
    status("status of two digits", b"HTTP/1.1 99 OK"),
    status("status of four digits", b"HTTP/1.1 2000 OK"),
    status("status below zero", b"HTTP/1.1 -200 OK"),
    status("status zero", b"HTTP/1.1 000 OK"),
    status("status past the last class", b"HTTP/1.1 600 Odd"),
    status("status 999", b"HTTP/1.1 999 Odd"),
    passes(
        "reason of 9,000 letters",
        get(),
        reply=saying(b"HTTP/1.1 200 " + b"O" * 9_000 + b"\r\n" + WHO + SIZE_2 + b"\r\n{}"),
    ),
    broken(
        "another protocol unasked",
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ),
    broken(
        "another protocol, and the line kept open",
        saying(
            b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n" + WHO + b"\r\n",
            then=hang,
        ),
    ),
    broken("interim answer and no other", b"HTTP/1.1 100 Continue\r\n\r\n"),
    passes("interim answer first", get(), reply=b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD),
    passes(
        "early hints to somewhere inside",
        get(),
        reply=b"HTTP/1.1 103 Early Hints\r\nLink: <http://10.0.0.1/>\r\n\r\n" + GOOD,
        outside={"link": None},
    ),
    passes("five thousand interim answers", get(), reply=many_interim),
]

FRAMES = [
    framed("length longer than the body", b"Content-Length: 10\r\n", b"{}"),
    framed("length with a sign in an answer", b"Content-Length: +2\r\n", b"{}"),
    framed("length below zero in an answer", b"Content-Length: -2\r\n", b"{}"),
    framed("length as a list in an answer", b"Content-Length: 2, 2\r\n", b"{}"),
    framed("length past 64 bits in an answer", b"Content-Length: 99999999999999999999\r\n", b"{}"),
    framed("two lengths in an answer", b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}x"),
    framed("length and coding in an answer", SIZE_2 + CHUNKED, CHUNKS),
    framed("coding and length in an answer", CHUNKED + SIZE_2, CHUNKS),
    framed("neither length nor coding", b"", b"{}"),
    broken("answer of HTTP/1.0 without a length", b"HTTP/1.0 200 OK\r\n" + WHO + b"\r\n{}"),
    framed("coding nobody knows in an answer", b"Transfer-Encoding: xchunked\r\n", CHUNKS),
    framed("coding identity in an answer", b"Transfer-Encoding: identity\r\n", b"{}"),
    framed("coding gzip in an answer", b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
    framed(
        "space before the coding's colon in an answer", b"Transfer-Encoding : chunked\r\n", CHUNKS
    ),
    framed("chunk size below zero in an answer", CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n"),
    framed("chunk size with a prefix in an answer", CHUNKED, b"0x2\r\n{}\r\n0\r\n\r\n"),
    framed(
        "chunk size past 64 bits in an answer", CHUNKED, b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"
    ),
    framed("chunk without its end in an answer", CHUNKED, b"2\r\n{}0\r\n\r\n"),
    framed("chunks without the last", CHUNKED, b"2\r\n{}\r\n"),
    framed("chunk extension with a line feed in an answer", CHUNKED, b"2;a\nb\r\n{}\r\n0\r\n\r\n"),
    bodiless("body where the status has none", 204, "204 No Content"),
    bodiless("body of what has not changed", 304, "304 Not Modified"),
    passes(
        "trailer that names a subject",
        get(),
        reply=saying(
            OK + WHO + CHUNKED + b"\r\n2\r\n{}\r\n0\r\nX-Subject: x\r\nSet-Cookie: a=b\r\n\r\n"
        ),
    ),
    passes(
        "chunk extension in an answer",
        get(),
        reply=saying(OK + WHO + CHUNKED + b"\r\n2;a=b\r\n{}\r\n0\r\n\r\n"),
    ),
    passes("second answer in the first one's wake", get(), reply=GOOD + answer(b"poison", NAMED)),
    passes(
        "second answer to the next caller's list",
        get(LIST),
        reply=answer(b"{}") + answer(b"poison"),
    ),
]

HEADERS = [
    headed("return in a header of an answer", b"X-A: a\rSet-Cookie: b"),
    headed("NUL in a header of an answer", b"X-A: a\0b"),
    headed("escape sequence in a header of an answer", b"X-A: \x1b[2J"),
    headed("delete sign in a header of an answer", b"X-A: \x7f"),
    headed("space before a colon in an answer", b"X-A : a"),
    headed("parenthesis in a name in an answer", b"X(A): a"),
    headed("name above ASCII in an answer", b"X\xe9: a"),
    headed("name empty in an answer", b": a"),
    headed("header without a colon in an answer", b"X-A"),
    headed("header of 70 KB in an answer", b"X-A: " + b"a" * 70_000),
    headed("ten thousand headers in an answer", b"\r\n".join([b"X-A: a"] * 10_000)),
    broken("header without end in an answer", OK + b"X-A: " + b"a" * 1_000_000),
    fits("header of 7 KB in an answer", "X-A: " + "a" * 7_000 + "\r\n"),
    fits("cookies", "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n", outside={"set-cookie": None}),
    fits(
        "name of the server inside",
        "Server: inside\r\nDate: never\r\n",
        outside={"server": b"lien-thong"},
    ),
    fits("right of the call told back", "X-Right: e.y.J\r\n", outside={"x-right": None}),
    fits(
        "headers for the ledger",
        "X-Dossier: H26-2026-000001\r\n",
        outside={"x-dossier": None, "x-subject": None, "x-fields": None},
    ),
    fits(
        "headers of one hop",
        "Connection: X-A, close\r\nX-A: 1\r\nKeep-Alive: 9\r\nProxy-Authenticate: B\r\n"
        "Trailer: X\r\nUpgrade: h2c\r\nTE: x\r\n",
        outside=dict.fromkeys(
            ("connection", "x-a", "keep-alive", "proxy-authenticate", "trailer", "upgrade", "te")
        ),
    ),
    fits("length nominated in Connection", "Connection: content-length\r\n"),
    fits("request id of the service's own", "X-Request-Id: another-id\r\n"),
]

BODIES = [
    passes(
        "gzip that unpacks to fifty megabytes",
        get(),
        reply=answer(BOMB, NAMED + "Content-Encoding: gzip\r\n"),
        outside={"content-encoding": b"gzip"},
    ),
    fits("gzip that is none", "Content-Encoding: gzip\r\n"),
    Case(
        "personal answer that names nobody",
        get(),
        (502,),
        passed_on=1,
        recorded=BROKEN,
        reply=answer(b"secret"),
    ),
    Case(
        "personal answer that names a number",
        get(),
        (502,),
        passed_on=1,
        recorded=BROKEN,
        reply=answer(b"secret", "X-Subject: 079301000001\r\n"),
    ),
    Case(
        "personal answer that names a number too",
        get(),
        (502,),
        passed_on=1,
        recorded=BROKEN,
        reply=answer(b"secret", f"X-Subject: {SUBJECT}, 079301000001\r\n"),
    ),
    Case(
        "personal answer whose fields nobody can read",
        get(),
        (502,),
        passed_on=1,
        recorded=BROKEN,
        reply=saying(
            OK + f"X-Subject: {SUBJECT}\r\n".encode() + b"X-Fields: \xe9\r\n" + SIZE_2 + b"\r\n{}"
        ),
    ),
    Case(
        "redirect elsewhere",
        get(LIST),
        (307,),
        passed_on=1,
        recorded=((307, "allowed"),),
        reply=answer(b"", "Location: https://example.org/x\r\n", "307 Temporary Redirect"),
        outside={"location": b"https://example.org/x"},
    ),
]

CASES = [*STATUSES, *FRAMES, *HEADERS, *BODIES]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_answer_is_passed_on_whole_or_not_at_all(stage: Stage, case: Case) -> None:
    seen = await stage.hold(case)
    (told,) = seen.answers
    assert b"secret" not in told.body
    assert b"poison" not in told.body
    # So many bad answers in a row would have this service left alone.
    await stage.good_call(post(SIZED, b"{}"))
    if told.status == 200:
        assert told.body == (BOMB if told.all("content-encoding") and len(told.body) > 2 else b"{}")


async def test_service_is_not_given_away_where_it_redirects_to_itself(stage: Stage) -> None:
    inside = f"Location: {stage.behind.address}/dossier/v1/dossiers?q=1\r\n"
    case = Case(
        "redirect to the service's own address",
        get(LIST),
        (307,),
        passed_on=1,
        recorded=((307, "allowed"),),
        reply=answer(b"", inside, "307 Temporary Redirect"),
        outside={"location": b"/dossier/v1/dossiers?q=1"},
    )
    await stage.hold(case)


async def test_callers_own_request_id_is_the_one_told(stage: Stage) -> None:
    reply = answer(b"{}", NAMED + "X-Request-Id: another-id\r\n")
    came = len(stage.behind.asked)
    seen = await stage.hold(passes("own id", get(), reply=reply, recorded=ALLOWED))
    own = stage.behind.asked[came].request_id.encode()
    assert seen.answers[0].all("x-request-id") == [own]
