"""A service trusts nobody: only a call that the gateway proves, with a signed right, opens it."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from starlette.routing import Mount

from gateway.operations.model import Operation, Service
from gateway.operations.table import OPERATIONS
from shared.web.calls.call_mac import CallVerifier
from shared.web.calls.internal_headers import RIGHT_HEADER
from tests.access import bodies
from tests.access.answers import gist
from tests.access.bodies import NAME
from tests.access.callers import NO_RIGHT
from tests.access.country import BIRTH, OURS, Country
from tests.access.routes import (
    OPEN_AT_THE_GATEWAY,
    ROUTES,
    for_the_gateway_alone,
    open_at_a_service,
)
from tests.access.samples import Things, samples
from tests.support.factories import prove_call

# The gateway fetches it without a caller: it proves tokens, and calls, to nobody.
OPEN_WITHOUT_PROOF = {(Service.IDENTITY, "/.well-known/jwks.json")}
PROTECTED = [each for each in OPERATIONS.values() if not each.public]
ME = "in-force"


NOT_PROVED = "401 call-not-proved"


def shown(country: Country, operation: Operation) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The kind of caller, what it is told, and the headers that the gateway would send."""
    now = int(time.time())
    other = next(name for name in ROUTES if name != operation.name)
    token, right = country.token(ME), country.right(ME, operation)
    wrong_service = "dossier_service" if operation.service != "dossier" else "sync_service"
    rights = {
        "no right": (NOT_PROVED, ""),
        "garbage for a right": (NOT_PROVED, "garbage"),
        "a right that ended": (
            NOT_PROVED,
            country.right(ME, operation, iat=now - 90, exp=now - 30),
        ),
        "a right without end": (NOT_PROVED, country.right(ME, operation, exp=now + 10**6)),
        "a right for another service": (
            NOT_PROVED,
            country.right(ME, operation, aud=wrong_service),
        ),
        "a right of another issuer": (NOT_PROVED, country.right(ME, operation, iss="identity")),
        "a right that nobody signed": (NOT_PROVED, country.unsigned(right)),
        "a right that somebody signed": (NOT_PROVED, country.signed_by_somebody(right)),
        "a token in place of a right": (NOT_PROVED, token),
        "a right to another operation": (NO_RIGHT, country.right(ME, operation, operation=other)),
        "a right of another client": (NO_RIGHT, country.right("everything", operation)),
    }
    client = {"X-Client": ME, "X-Agency": OURS}
    for name, (told, shown_right) in rights.items():
        yield name, told, {**client, RIGHT_HEADER: shown_right}
    yield "no client", NOT_PROVED, {"X-Agency": OURS, RIGHT_HEADER: right}
    yield "no agency", NOT_PROVED, {"X-Client": ME, RIGHT_HEADER: right}
    yield "a token and no client", NOT_PROVED, {**_bearer(token), RIGHT_HEADER: right}


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.name)
async def test_service_checks_client_and_right_itself(
    country: Country, things: Things, operation: Operation
) -> None:
    sample = samples(things)[operation.name]("ours")
    path = operation.template.format(**sample.path)
    markers, others = things.markers(operation.name), {}
    explained = {"X-Purpose": BIRTH, "X-Officer": "officer-1"}
    for name, expected, headers in shown(country, operation):
        sent = headers | explained | dict(sample.headers)
        answer = await country.ask_service(operation, path, sent, **sample.sent)
        if (found := gist(answer, markers, NAME)) != expected:
            others[name] = f"{found}, not {expected}"
    assert others == {}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: each.name)
async def test_service_answers_nobody_but_the_gateway(
    country: Country, things: Things, operation: Operation
) -> None:
    """Whatever else is shown: headers that were true, the caller's token, or nothing."""
    if operation.public and (operation.service, operation.template) in OPEN_WITHOUT_PROOF:
        return
    sample = samples(things)[operation.name]("ours")
    path = operation.template.format(**sample.path)
    true = {"X-Client": ME, "X-Agency": OURS, "X-Purpose": BIRTH, "X-Officer": "officer-1"}
    true |= {RIGHT_HEADER: country.right(ME, operation)} | dict(sample.headers)
    token = _bearer(country.token(ME))
    for headers in (true, true | token, token, {}, true | {"X-Call-Mac": "a b c d"}):
        answer = await country.ask_service(operation, path, headers, proved=False, **sample.sent)
        assert gist(answer, {}, NAME) == NOT_PROVED


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def routed(routes: Iterable[Any]) -> Iterator[str]:
    """By method and path, all that an application answers to."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from routed(router.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}"
        else:
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD"})


@pytest.mark.parametrize("service", Service)
def test_each_route_of_a_service_is_an_operation_or_open_on_purpose(
    country: Country, service: Service
) -> None:
    operations = {each.name for each in OPERATIONS.values() if each.service is service}
    is_open = OPEN_AT_THE_GATEWAY if service is Service.GATEWAY else open_at_a_service(service)
    inner = for_the_gateway_alone(service)
    assert sorted(routed(country.apps[service].routes)) == sorted(operations | is_open | inner)


@pytest.mark.parametrize("route", sorted(for_the_gateway_alone("identity")))
async def test_route_for_the_gateway_takes_no_client_whatever_its_right(
    country: Country, route: str
) -> None:
    _, _, path = route.partition(" ")
    operator = f"Bearer {country.token('operator-vpcp', 'G22')}"
    right = country.authority.right("operator-vpcp", route, "identity_service")
    shown = [{}, {"Authorization": operator}, {"Authorization": f"Bearer {right}"}]
    shown.append({"Authorization": operator, "X-Right": right})
    transport = httpx.ASGITransport(country.apps[Service.IDENTITY])
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
        assert [(await http.get(path, headers=each)).status_code for each in shown] == [401] * 4
    asked = await country.ask("GET", path, [("Authorization", operator)])
    assert asked.status_code == 404


@pytest.mark.parametrize("route", sorted(OPEN_AT_THE_GATEWAY))
async def test_what_is_open_needs_no_token(country: Country, things: Things, route: str) -> None:
    method, _, path = route.partition(" ")
    answer = await country.ask(method, path.format(name="docs.js"), [])
    assert answer.status_code in {200, 307}
    assert things.records["ours"]["id"] not in answer.text


@pytest.mark.parametrize("service", [each for each in Service if each is not Service.GATEWAY])
async def test_gateway_passes_on_nothing_that_is_open_at_a_service_only(
    country: Country, service: Service
) -> None:
    routes = open_at_a_service(service) - OPEN_AT_THE_GATEWAY
    assert routes
    for route in routes:
        method, _, path = route.partition(" ")
        assert (await country.ask(method, path, [])).status_code == 404


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "Via"])
async def test_metrics_are_for_who_stands_beside_the_gateway(country: Country, header: str) -> None:
    answer = await country.ask("GET", "/metrics", [(header, "203.0.113.7")])
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/ledger/v1/%72ecords",
        "/ledger/v1/records/%7B{record}%7D",
        "/ledger/v1/records/",
        "//ledger/v1/records",
        "/ledger/v1/records%2f{record}",
        "/docs/../ledger/v1/records",
        "/gateway/v1/%64ead-letters",
        "/dossier%2Fv1/dossiers",
    ],
)
async def test_no_way_of_writing_a_path_goes_round_the_door(
    country: Country, things: Things, path: str
) -> None:
    asked = path.replace("{record}", things.records["ours"]["id"])
    forged = [(RIGHT_HEADER, "e30.e30.e30"), ("X-Purpose", BIRTH), ("X-Officer", "o")]
    answer = await country.ask("GET", asked, forged)
    assert answer.status_code in {307, 400, 401, 404}
    assert things.records["ours"]["id"] not in answer.text


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
