"""Requirements of HTTP on servers, caches and gateways, each with its section, over a raw socket.

`DEVIATIONS` are where the gateway does something else, and why; each has a row of the table that
shows what it does.
"""

from collections.abc import Mapping

import pytest

from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from tests.proxy.caching import CACHING
from tests.proxy.caller import connected
from tests.proxy.harness import LIST, SIZED, Case, Stage, post
from tests.proxy.messages import MESSAGES
from tests.proxy.requirement import CODED, CRLF, HEALTH, KEY_SET, KEYS, NO_STORE, Requirement
from tests.proxy.semantics import SEMANTICS

FEWEST = 60

DEVIATIONS: Mapping[str, str] = {
    "9110-9.1-unknown": "501 SHOULD answer a method that nobody knows. Here it is 405: the table "
    "of operations knows the methods of each path, and Allow helps the caller more.",
    "9110-15.5.15": "414 MAY answer a target that is too long. The server in front answers 431 "
    "for target and fields together, before the gateway sees anything.",
    "9110-5.3-if-match": "A list may come in several lines. If-Match comes in one line here: an "
    "intermediary may act on the other one.",
    "9112-2.2-lf": "A line may end in a single line feed (MAY), so a request may stand behind two "
    "of them. The server in front reads it so, and hands on no bytes: the gateway cannot refuse "
    "it. Each request is framed anew for the service behind, so that nothing hides there.",
    "9112-6.1-coding": "501 SHOULD answer an unknown transfer coding. It is 400, as for each "
    "framing that can be read in two ways.",
    "9112-6.1-both": "Length and coding together may be refused. The server in front takes the "
    "coding alone and then ends the connection, which is the other way of RFC 9112 §6.1.",
}


REQUIREMENTS = [*SEMANTICS, *CACHING, *MESSAGES]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
async def test_gateway_meets_the_requirement(stage: Stage, requirement: Requirement) -> None:
    seen = await stage.hold(requirement.case)
    assert set(requirement.present) <= {name for name, _ in seen.answers[0].headers}


def test_table_is_as_large_as_promised_and_names_its_deviations() -> None:
    ids = [each.id for each in REQUIREMENTS]
    assert len(ids) == len(set(ids)) >= FEWEST
    assert set(DEVIATIONS) <= set(ids)


OWN_PATHS = [HEALTH, b"/readyz", b"/docs", b"/metrics", b"/", KEYS, b"/nothing"]
HOSTS = {
    "none": b"",
    "empty": b"Host:\r\n",
    "two": b"Host: a\r\nHost: b\r\n",
    "path": b"Host: a/b\r\n",
}


def headless(target: bytes, host: bytes) -> Case:
    return Case("host", b"GET %b HTTP/1.1\r\n%b\r\n" % (target, host), (400,))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", OWN_PATHS)
async def test_own_paths_ask_for_one_host(stage: Stage, path: bytes, host: str) -> None:
    await stage.hold(headless(path, HOSTS[host]))
    wrong_method = Case("method", b"PUT " + LIST + b" HTTP/1.1\r\n" + HOSTS[host] + CRLF, (400,))
    await stage.hold(wrong_method)


WITH_BODY = [each for each in OPERATIONS.values() if each.body_limit]


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
async def test_content_coding_is_refused_wherever_a_body_is_taken(
    stage: Stage, operation: Operation
) -> None:
    target = (
        operation.template.replace("{code}", "H26-2026-000001").replace("{", "").replace("}", "")
    )
    # Calls without a client are summed, not recorded one by one.
    recorded = () if operation.public else CODED
    for coding in (b"gzip", b"br", b"identity, gzip", b"identity\r\nContent-Encoding: deflate"):
        sent = post(b"Content-Encoding: " + coding + CRLF + SIZED, b"{}", target.encode())
        await stage.hold(Case("coding", sent, (415,), recorded=recorded, outside=NO_STORE))


@pytest.mark.parametrize("path", [HEALTH, b"/docs", b"/docs/files/docs.js", KEYS, KEY_SET])
async def test_head_tells_the_fields_of_get(stage: Stage, path: bytes) -> None:
    told = []
    async with connected(stage.gateway.port) as wire:
        for method in (b"GET", b"HEAD"):
            await wire.send(b"%b %b HTTP/1.1\r\nHost: mesh\r\n\r\n" % (method, path))
            heard = await wire.answer(to_head=method == b"HEAD")
            assert heard
            told.append(heard)
    got, head = told
    varying = {"date", "x-request-id", "x-trace-id"}
    assert head.status == got.status == 200
    assert [each for each in head.headers if each[0] not in varying] == [
        each for each in got.headers if each[0] not in varying
    ]
    # What was noted of these calls is durable before the next case counts records.
    await stage.good_call()
