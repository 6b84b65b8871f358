"""A service trusts nobody: past the gateway, the two signatures alone open it."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from starlette.routing import Mount

from gateway.upstreams import OPERATIONS, Operation, Service
from shared.auth import RIGHT_HEADER
from tests.access.answers import gist
from tests.access.bodies import NAME
from tests.access.callers import NO_RIGHT, UNPROVEN
from tests.access.country import BIRTH, Country
from tests.access.routes import OPEN_AT_THE_GATEWAY, ROUTES, open_at_a_service
from tests.access.samples import Things, samples

PROTECTED = [each for each in OPERATIONS.values() if not each.public]
ME = "in-force"


def shown(country: Country, operation: Operation) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The kind of caller, what it is told, and the headers that it sends to the service."""
    now = int(time.time())
    other = next(name for name in ROUTES if name != operation.name)
    token, right = country.token(ME), country.right(ME, operation)
    wrong_service = "dossier_service" if operation.service != "dossier" else "sync_service"
    rights = {
        "no right": (UNPROVEN, ""),
        "garbage for a right": (UNPROVEN, "garbage"),
        "a right that ended": (UNPROVEN, country.right(ME, operation, iat=now - 90, exp=now - 30)),
        "a right without end": (UNPROVEN, country.right(ME, operation, exp=now + 10**6)),
        "a right for another service": (
            UNPROVEN,
            country.right(ME, operation, aud=wrong_service),
        ),
        "a right of another issuer": (UNPROVEN, country.right(ME, operation, iss="identity")),
        "a right that nobody signed": (UNPROVEN, country.unsigned(right)),
        "a right that somebody signed": (UNPROVEN, country.signed_by_somebody(right)),
        "a token in place of a right": (UNPROVEN, token),
        "a right to another operation": (NO_RIGHT, country.right(ME, operation, operation=other)),
        "a right of another client": (NO_RIGHT, country.right("everything", operation)),
    }
    for name, (told, shown_right) in rights.items():
        yield name, told, {"Authorization": f"Bearer {token}", RIGHT_HEADER: shown_right}
    for name, shown_token in {
        "no token": "",
        "a right in place of a token": right,
        "a token that expired": country.token(ME, iat=now - 700, exp=now - 100),
        "a token that somebody signed": country.signed_by_somebody(token),
        "a token that nobody signed": country.unsigned(token),
    }.items():
        yield name, UNPROVEN, {"Authorization": f"Bearer {shown_token}", RIGHT_HEADER: right}


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda each: each.name)
async def test_service_checks_token_and_right_itself(
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
    assert sorted(routed(country.apps[service].routes)) == sorted(operations | is_open)


@pytest.mark.parametrize("route", sorted(OPEN_AT_THE_GATEWAY))
async def test_what_is_open_needs_no_token(country: Country, things: Things, route: str) -> None:
    method, _, path = route.partition(" ")
    # What is mounted is a folder, which shows its files and not itself.
    path = f"{path}/docs.js" if path == "/docs/files" else path
    answer = await country.ask(method, path, [])
    assert answer.status_code in {200, 307}
    assert things.records["ours"]["id"] not in answer.text


@pytest.mark.parametrize("service", [each for each in Service if each is not Service.GATEWAY])
async def test_gateway_passes_on_nothing_that_is_open_at_a_service_only(
    country: Country, service: Service
) -> None:
    for route in open_at_a_service(service) - OPEN_AT_THE_GATEWAY:
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
