"""A service trusts nobody: only a call that the gateway proves, with a signed right, opens it."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Mount

from gateway.operations.model import Operation, Service
from gateway.operations.table import OPERATIONS
from shared.web.calls.internal_headers import RIGHT_HEADER
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

# The gateway fetches it without a caller: it proves tokens, and calls, to nobody.
OPEN_WITHOUT_PROOF = {(Service.IDENTITY, "/.well-known/jwks.json")}
PROTECTED = [each for each in OPERATIONS.values() if not each.public]
ME = "in-force"


NOT_PROVED = "401 call-not-proved"
PAGES = {"GET /docs/files/{name}": "docs.js", "GET /problems/{name}": "not-allowed"}


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
    answer = await country.ask(method, path.format(name=PAGES.get(route)), [])
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
