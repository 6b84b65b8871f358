"""A call that was captured on the inner network opens nothing, neither repeated nor changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from shared.web.calls.call_mac import CallVerifier
from shared.web.calls.internal_headers import RIGHT_HEADER
from tests.access import bodies
from tests.access.answers import gist
from tests.access.bodies import NAME
from tests.access.country import BIRTH, OURS, Country
from tests.access.samples import Things
from tests.access.test_services import ME, NOT_PROVED
from tests.support.factories import prove_call

OWN = "GET /dossier/v1/dossiers/{code}"


@dataclass(frozen=True)
class Captured:
    """A call as it crossed the inner network: what an attacker there can send again, or change."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    service: str

    def with_header(self, name: bytes, value: bytes | None) -> "Captured":
        others = tuple(header for header in self.headers if header[0] != name)
        return replace(self, headers=others if value is None else (*others, (name, value)))


async def capture(
    country: Country, operation: Operation, path: str, headers: list[tuple[str, str]], **sent: Any
) -> Captured:
    """Make the call through the gateway, with its body."""
    token = country.token(ME)
    told = [("Authorization", f"Bearer {token}"), ("X-Purpose", BIRTH), ("X-Officer", "officer-1")]
    country.sent.clear()
    answer = await country.ask(operation.method, path, [*told, *headers], **sent)
    assert answer.is_success, answer.text
    # The one before may have been refused, for an epoch that was over.
    scope = country.sent[-1].scope
    body = httpx.Request(operation.method, "http://gateway", **sent).content
    return Captured(
        operation.method,
        path,
        scope["query_string"].decode(),
        tuple(scope["headers"]),
        body,
        country.sent[-1].service,
    )


async def send_again(country: Country, call: Captured, service: str = "") -> httpx.Response:
    """Straight to the service, with nothing but what was captured."""
    app = country.apps[service or call.service]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    url = f"http://service{call.path}" + (f"?{call.query}" if call.query else "")
    async with httpx.AsyncClient(transport=transport) as http:
        return await http.request(
            call.method, url, headers=list(call.headers), content=call.body or None
        )


def ways_to_use(call: Captured, things: Things) -> Iterator[tuple[str, Captured]]:
    """All that a captured call could be made to do."""
    name = b"x-call-mac"
    call_id, epoch, body, code = dict(call.headers)[name].split()
    theirs = call.path.replace(things.dossiers["ours"], things.dossiers["theirs"])
    yield "as it was", call
    yield "other path", replace(call, path=f"{call.path}/history")
    yield "other dossier in the path", replace(call, path=theirs)
    yield "other query", replace(call, query="limit=1")
    yield "other method", replace(call, method="POST" if call.method == "GET" else "GET")
    yield "other body", replace(call, body=b'{"to": 3}' if call.body else b"{}")
    for header in (b"x-purpose", b"x-officer", b"x-client", b"x-agency", b"x-request-id"):
        yield f"other {header.decode()}", call.with_header(header, b"other")
        yield f"no {header.decode()}", call.with_header(header, None)
    yield "other dossier", call.with_header(b"x-dossier", things.dossiers["theirs"].encode())
    yield "other key of its repeat", call.with_header(b"idempotency-key", b"another")
    yield "no proof", call.with_header(name, None)
    yield "other id", call.with_header(name, b" ".join((b"new", epoch, body, code)))
    yield "other epoch", call.with_header(name, b" ".join((call_id, b"new", body, code)))
    yield (
        "body said to follow",
        call.with_header(name, b" ".join((call_id, epoch, b"stream", code))),
    )


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_captured_call_opens_nothing(country: Country, things: Things, kind: str) -> None:
    """Neither once more nor changed, now or later, at its service or at another."""
    if kind == "read":
        operation, path, sent = OPERATIONS[OWN], OWN.split()[1], {}
        path = path.format(code=things.dossiers["ours"])
    else:
        operation = OPERATIONS["POST /sync/v1/progress"]
        path = operation.template
        sent = {"json": bodies.progress_of(things.told["ours"])}
    call = await capture(country, operation, path, [], **sent)
    assert b"authorization" not in dict(call.headers)
    answers = {}
    for way, used in ways_to_use(call, things):
        answers[way] = gist(await send_again(country, used), {}, NAME)
    for other in country.apps:
        if other not in {call.service, "gateway"}:
            answers[f"at {other}"] = gist(await send_again(country, call, other), {}, NAME)
    assert set(answers.values()) == {NOT_PROVED}, answers


async def test_undelivered_call_is_good_for_one_epoch(country: Country, things: Things) -> None:
    """It was captured before it arrived, and is sent after the service has begun another."""
    operation = OPERATIONS[OWN]
    path = operation.template.format(code=things.dossiers["ours"])
    calls: CallVerifier = country.apps["dossier"].state.calls
    right = country.right(ME, operation)
    headers = {"X-Client": ME, "X-Agency": OURS, "X-Purpose": BIRTH, "X-Officer": "officer-1"}
    request = httpx.Request("GET", f"http://service{path}", headers=headers | {RIGHT_HEADER: right})
    prove_call(request, calls)
    calls._begin_epoch()
    held = Captured("GET", path, "", tuple(lowered(request)), b"", "dossier")
    assert gist(await send_again(country, held), {}, NAME) == NOT_PROVED
    prove_call(request, calls)
    held = replace(held, headers=tuple(lowered(request)))
    assert (await send_again(country, held)).status_code == 200


async def test_key_of_one_service_proves_nothing_to_another(
    country: Country, things: Things
) -> None:
    """Also where the other one's epoch is known."""
    operation = OPERATIONS[OWN]
    path = operation.template.format(code=things.dossiers["ours"])
    calls: CallVerifier = country.apps["dossier"].state.calls
    elsewhere = CallVerifier(b"another key of thirty-two characters")
    elsewhere._epoch = calls.epoch
    headers = {"X-Client": ME, "X-Agency": OURS, RIGHT_HEADER: country.right(ME, operation)}
    request = httpx.Request("GET", f"http://service{path}", headers=headers)
    prove_call(request, elsewhere)
    held = Captured("GET", path, "", tuple(lowered(request)), b"", "dossier")
    assert gist(await send_again(country, held), {}, NAME) == NOT_PROVED


def lowered(request: httpx.Request) -> Iterator[tuple[bytes, bytes]]:
    return ((name.lower(), value) for name, value in request.headers.raw)
