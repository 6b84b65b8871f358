"""RFC 9111: what a cache may keep."""

from tests.proxy.harness import LIST, READ, get
from tests.proxy.requirement import KEYS, NO_STORE, Requirement, ask, own, refuse
from tests.support.fake_upstream import NAMED, answer

CACHING = [
    Requirement(
        "9111-3.5",
        "an answer to a call with a token is not kept by a shared cache",
        ask(get(), outside=NO_STORE),
    ),
    Requirement(
        "9111-5.2.2.5",
        "no-store: nothing of it may be kept, whatever the service says",
        ask(get(), reply=answer(b"{}", NAMED + "Cache-Control: public\r\n"), outside=NO_STORE),
    ),
    Requirement("9111-5.2.2.5-list", "… of lists too", ask(get(LIST), outside=NO_STORE)),
    Requirement(
        "9111-5.2.2.5-problem",
        "… of refusals too",
        refuse(
            b"GET " + READ + b" HTTP/1.1\r\nHost: mesh\r\n\r\n",
            401,
            recorded=(),
            outside=NO_STORE,
        ),
    ),
    Requirement(
        "9111-4",
        "404 may be kept by its nature, unless it says otherwise",
        own(404, b"/nothing", outside=NO_STORE),
    ),
    Requirement(
        "9111-5.2.2.1",
        "public keys say how long they stay fresh",
        own(200, KEYS, outside={"cache-control": b"public, max-age=60"}),
    ),
    Requirement(
        "9111-4.3.4",
        "304 has the fields that freshen what is kept",
        own(304, KEYS, b"If-None-Match: *\r\n", outside={"cache-control": b"public, max-age=60"}),
        ("etag", "vary"),
    ),
]
