"""RFC 9110: methods, fields, codings and conditions."""

from tests.proxy.harness import BROKEN, LIST, READ, SIZED, Case, get, post, unread
from tests.proxy.requirement import (
    CODED,
    CRLF,
    KEY_SET,
    KEYS,
    Requirement,
    ask,
    coded,
    of_method,
    own,
    refuse,
)
from tests.proxy.upstream import GOOD
from tests.support.fake_upstream import NAMED

NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n' + NAMED.encode() + CRLF
EARLY_HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

SEMANTICS = [
    Requirement(
        "9110-5.1",
        "an unrecognized field MUST be forwarded",
        ask(get(fields=b"X-New: a\r\n"), inside={"x-new": b"a"}),
    ),
    Requirement(
        "9110-5.3-if-match",
        "several lines of one field are one list",
        refuse(post(b'If-Match: "1"\r\nIf-Match: "2"\r\n' + SIZED, b"{}")),
    ),
    Requirement(
        "9110-5.5-nul",
        "NUL in a field value MUST be rejected or replaced",
        unread("nul", get(fields=b"X-A: a\0b\r\n")),
    ),
    Requirement(
        "9110-5.5-cr",
        "CR in a field value MUST be rejected or replaced",
        unread("cr", get(fields=b"X-A: a\rb\r\n")),
    ),
    Requirement(
        "9110-5.6.1.2",
        "empty elements of a list MUST be ignored",
        ask(get(fields=b"Connection: , X-A, ,\r\nX-A: b\r\n"), inside={"x-a": None}),
    ),
    Requirement(
        "9110-6.6.1", "an origin server with a clock MUST send Date", ask(get()), ("date",)
    ),
    Requirement(
        "9110-6.6.1-own", "… in all 2xx, 3xx and 4xx answers", own(404, b"/nothing"), ("date",)
    ),
    Requirement(
        "9110-7.2",
        "an invalid Host MUST be answered 400",
        refuse(get().replace(b"mesh", b"a/b", 1)),
    ),
    Requirement(
        "9110-7.6.1",
        "fields named in Connection MUST be removed",
        ask(get(fields=b"Connection: X-A\r\nX-A: b\r\n"), inside={"x-a": None, "connection": None}),
    ),
    Requirement(
        "9110-7.6.1-hop",
        "Keep-Alive, TE, Proxy-Connection MUST NOT be forwarded",
        ask(
            get(fields=b"Keep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\n"),
            inside={"keep-alive": None, "te": None, "proxy-connection": None},
        ),
    ),
    Requirement(
        "9110-7.6.3",
        "a gateway MUST send Via in each inbound request",
        ask(get(), inside={"via": b"1.1 lien-thong"}),
    ),
    Requirement(
        "9110-7.8",
        "a server MAY ignore Upgrade",
        ask(get(fields=b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), inside={"upgrade": None}),
    ),
    Requirement(
        "9110-8.3",
        "the type of an answer with content SHOULD be told",
        own(200, KEYS),
        ("content-type",),
    ),
    Requirement(
        "9110-8.4-identity",
        "identity is no coding, and SHOULD NOT be in Content-Encoding",
        ask(coded(b"identity"), inside={"content-encoding": None}),
    ),
    Requirement(
        "9110-8.6",
        "a length that is not digits MUST be refused",
        unread("length", post(b"Content-Length: +2\r\n", b"{}")),
    ),
    Requirement(
        "9110-8.6-same",
        "a list of equal lengths MAY be read as one",
        ask(
            post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"),
            inside={"content-length": b"2"},
        ),
    ),
    Requirement(
        "9110-8.8.3", "an ETag SHOULD be sent where it can be determined", own(200, KEYS), ("etag",)
    ),
    Requirement("9110-9.1-get", "servers MUST support GET", own(200)),
    Requirement("9110-9.1-head", "servers MUST support HEAD", own(200, method=b"HEAD")),
    Requirement("9110-9.1-case", "a method is case-sensitive", of_method(b"get", READ, b"GET")),
    Requirement(
        "9110-9.1-unknown",
        "an unrecognized method SHOULD be answered 501",
        of_method(b"BREW", READ, b"GET"),
    ),
    Requirement(
        "9110-9.3.2",
        "HEAD MUST NOT be answered with content",
        own(200, KEYS, method=b"HEAD"),
        ("content-length", "etag"),
    ),
    Requirement(
        "9110-9.3.2-behind",
        "HEAD is answered as GET, by a service behind too",
        own(200, KEY_SET, method=b"HEAD"),
        ("content-type",),
    ),
    Requirement(
        "9110-9.3.6",
        "CONNECT is answered by no origin server",
        of_method(b"CONNECT", LIST, b"GET, POST"),
    ),
    Requirement(
        "9110-9.3.8",
        "TRACE, which repeats what it is sent, is not supported",
        of_method(b"TRACE", READ, b"GET"),
    ),
    Requirement(
        "9110-10.1.1",
        "100-continue MUST be answered: 100, or a final status",
        ask(post(b"Expect: 100-continue\r\n" + SIZED, b"{}"), body=b"{}"),
    ),
    Requirement(
        "9110-10.1.1-final",
        "a final status MAY come in place of 100",
        refuse(post(b"Expect: 100-continue\r\nContent-Length: 70000\r\n"), 413, closes=True),
    ),
    Requirement(
        "9110-10.1.1-unknown",
        "an unknown expectation MAY be answered 417",
        refuse(post(b"Expect: 200-ok\r\n" + SIZED, b"{}"), 417),
    ),
    Requirement(
        "9110-10.2.4",
        "Server SHOULD NOT hold needless detail",
        ask(get(), outside={"server": b"lien-thong"}),
    ),
    Requirement(
        "9110-11.6.1",
        "401 MUST have WWW-Authenticate",
        refuse(b"GET " + READ + b" HTTP/1.1\r\nHost: mesh\r\n\r\n", 401, recorded=()),
        ("www-authenticate",),
    ),
    Requirement(
        "9110-12.5.3",
        "an answer may be coded as Accept-Encoding allows",
        own(200, b"/docs", b"Accept-Encoding: gzip\r\n", outside={"content-encoding": b"gzip"}),
    ),
    Requirement(
        "9110-12.5.3-zero",
        "q=0 forbids a coding",
        own(200, b"/docs", b"Accept-Encoding: gzip;q=0\r\n", outside={"content-encoding": None}),
    ),
    Requirement(
        "9110-12.5.3-415",
        "415 for a coding SHOULD have Accept-Encoding",
        Case(
            "gzip", coded(b"gzip"), (415,), recorded=CODED, outside={"accept-encoding": b"identity"}
        ),
    ),
    Requirement(
        "9110-12.5.5",
        "Vary SHOULD name what the answer was chosen by",
        own(200, b"/docs", outside={"vary": b"Accept-Encoding, Accept-Language"}),
    ),
    Requirement(
        "9110-13.1.1", "If-Match MUST be compared strongly", own(412, KEYS, b'If-Match: W/"1"\r\n')
    ),
    Requirement(
        "9110-13.1.1-any",
        "If-Match: * is true where there is something",
        own(200, KEYS, b"If-Match: *\r\n"),
    ),
    Requirement(
        "9110-13.1.2",
        "a false If-None-Match on GET MUST be answered 304",
        own(304, KEYS, b"If-None-Match: *\r\n"),
    ),
    Requirement(
        "9110-13.1.2-weak",
        "If-None-Match MUST be compared weakly; another tag is not it",
        own(200, KEYS, b'If-None-Match: W/"0", "1"\r\n'),
    ),
    Requirement(
        "9110-13.2.1",
        "a gateway MUST NOT evaluate, only pass on",
        ask(get(fields=b'If-None-Match: "1"\r\n'), inside={"if-none-match": b'"1"'}),
    ),
    Requirement(
        "9110-13.2.2",
        "If-Match is evaluated before If-None-Match",
        own(412, KEYS, b'If-Match: "1"\r\nIf-None-Match: *\r\n'),
    ),
    Requirement(
        "9110-15.2", "a 1xx of the service is no answer", ask(get(), reply=EARLY_HINT + GOOD)
    ),
    Requirement(
        "9110-15.4.5",
        "304 has the ETag, ends with its head, and is a look on record",
        Case(
            "304",
            get(fields=b'If-None-Match: "1"\r\n'),
            (304,),
            passed_on=1,
            recorded=((304, "allowed"),),
            reply=NOT_MODIFIED,
            outside={"etag": b'"1"', "content-length": None},
        ),
    ),
    Requirement("9110-15.5.6", "405 MUST have Allow", of_method(b"PUT", LIST, b"GET, POST")),
    Requirement(
        "9110-15.5.6-own",
        "… of what the gateway answers itself",
        own(405, method=b"PUT", outside={"allow": b"GET, HEAD"}),
    ),
    Requirement(
        "9110-15.5.6-public",
        "… with HEAD where it is served",
        own(405, KEY_SET, method=b"PUT", outside={"allow": b"GET, HEAD"}),
    ),
    Requirement(
        "9110-15.5.6-personal", "… without it on personal data", of_method(b"HEAD", READ, b"GET")
    ),
    Requirement(
        "9110-15.5.14",
        "413 where the content is larger than is taken",
        refuse(get(fields=SIZED, target=LIST) + b"x", 413),
    ),
    Requirement(
        "9110-15.5.15",
        "414 where the target is longer than is read",
        unread("long", get(LIST + b"?q=" + b"a" * 1_000_000), 431),
    ),
    Requirement(
        "9110-15.6.3",
        "502 where the answer of the service is invalid",
        Case(
            "502",
            get(),
            (502,),
            passed_on=1,
            recorded=BROKEN,
            reply=b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ),
    ),
]
