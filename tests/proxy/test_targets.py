"""What stands where the path should: one spelling reaches a service, every other none."""

import pytest

from tests.proxy.harness import (
    ALLOWED,
    CALLER,
    LIST,
    READ,
    REFUSED,
    Case,
    Stage,
    get,
    passes,
    unread,
)


def missing(name: str, target: bytes) -> Case:
    return Case(name, get(target), (404,))


CASES = [
    missing("dots that climb", b"/docs/../ledger/v1/records"),
    missing("dots as a dossier's code", b"/dossier/v1/dossiers/.."),
    missing("encoded dots", b"/dossier/v1/dossiers/%2e%2e/clients"),
    missing("doubly encoded dots", b"/dossier/v1/dossiers/%252e%252e"),
    missing("overlong encoded dots", b"/dossier/v1/dossiers/%c0%ae%c0%ae"),
    unread("overlong raw dots", get(b"/dossier/v1/dossiers/\xc0\xae\xc0\xae")),
    missing("encoded slash in a code", b"/dossier/v1/dossiers/a%2fb"),
    missing("encoded backslash that climbs", b"/dossier/v1/dossiers/..%5c..%5cclients"),
    missing("backslash for a slash", b"/dossier/v1\\dossiers"),
    missing("path parameter after dots", b"/dossier/v1/dossiers/..;/clients"),
    missing("path parameter on a ledger path", b"/ledger/v1/records;x=1"),
    missing("doubled slash in front", b"//dossier/v1/dossiers"),
    missing("doubled slash within", b"/dossier/v1//dossiers"),
    missing("slash at the end", LIST + b"/"),
    missing("other case", b"/DOSSIER/v1/dossiers"),
    missing("encoded NUL", b"/dossier/v1/dossiers/a%00"),
    unread("raw NUL", get(b"/dossier/v1/dossiers/a\x00")),
    missing("ledger path encoded in part", b"/%6cedger/v1/records"),
    missing("metrics path encoded in part", b"/%6detrics"),
    missing("file outside the documents, encoded", b"/docs/files/..%2f..%2fsettings.py"),
    missing("file outside the documents, plain", b"/docs/files/../../settings.py"),
    missing("code far too long", b"/dossier/v1/dossiers/" + b"a" * 200),
    passes("target of five thousand letters", get(LIST + b"?q=" + b"a" * 5_000)),
    unread("target of a megabyte", get(LIST + b"?q=" + b"a" * 1_000_000), 431),
    unread("target without a slash", get(b"dossier/v1/dossiers")),
    unread("query alone", get(b"?q=1")),
    unread("space in the target", get(LIST + b"/a b")),
    unread("tabs between the parts", b"GET\t" + LIST + b"\tHTTP/1.1\r\n" + CALLER + b"\r\n"),
    unread("quote in the query", get(LIST + b'?q="')),
    Case("raw bytes in the query", get(LIST + "?q=é".encode()), recorded=REFUSED),
    passes("line break encoded in the query", get(LIST + b"?q=a%0d%0aX-Right:%20x")),
    # Not for us to see: the server in front takes it off, so nobody behind reads it otherwise.
    passes("fragment", get(LIST + b"#/../clients")),
    passes("fragment after the query", get(LIST + b"?q=1#/../clients")),
    # RFC 9112 §3.2.2: to be understood; where it points is not asked.
    passes("absolute form to somewhere inside", get(b"http://10.0.0.1:8101" + READ)),
    passes("absolute form of another protocol", get(b"ftp://10.0.0.1" + READ)),
    passes("absolute form with a password", get(b"http://a:b@mesh" + READ)),
    missing("authority form", b"10.0.0.1:8101"),
    missing("asterisk form", b"*"),
    Case(
        "name of the host alone",
        get(b"http://10.0.0.1:8101"),
        (307,),
        outside={"location": b"/docs"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_target_reaches_what_it_names_or_nothing(stage: Stage, case: Case) -> None:
    await stage.hold(case)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (b"http://10.0.0.1:8101" + READ, b"GET " + READ + b" HTTP/1.1"),
        (LIST + b"?q=1#/../clients", b"GET " + LIST + b"?q=1 HTTP/1.1"),
        (LIST + b"?q=a%0d%0aX", b"GET " + LIST + b"?q=a%0d%0aX HTTP/1.1"),
    ],
)
async def test_service_reads_path_and_query_alone(stage: Stage, target: bytes, line: bytes) -> None:
    host = stage.behind.address.removeprefix("http://").encode()
    case = Case("line", get(target), (200,), passed_on=1, recorded=ALLOWED, inside={"host": host})
    came = len(stage.behind.asked)
    await stage.hold(case)
    assert stage.behind.asked[came].line == line
