"""The registries of agencies, clients and grants show and change what a right covers, no more."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from hypothesis import given

from gateway.operations.table import OPERATIONS
from identity_service.seed import seed
from shared.web.calls.internal_headers import RIGHT_HEADER
from tests.access.answers import told
from tests.access.country import Country
from tests.access.model import AGENCIES, Limits, agencies, limits, tried
from tests.access.samples import JWK, Things
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.identity_service.conftest import make_settings, serving
from tests.support.factories import TestAuthority

ALL = Limits()
ROOT = "/identity/v1"
KINDS = ("agencies", "clients", "grants")
FILTERS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "agencies": (
        {"level": "province"},
        {"parent": "H26"},
        {"parent": "H29"},
        {"q": "H29.1"},
        {"q": "phường", "on": "2026-01-01", "parent": "H26"},
    ),
    "clients": (
        {},
        *({"agency": code} for code in AGENCIES),
        {"kind": "production"},
        {"operator": True},
        {"active": True},
    ),
    "grants": (
        {},
        *({"client_id": f"system-{place}"} for place in range(len(AGENCIES))),
        {"operation": "GET /dossier/v1/procedures"},
        {"in_force": True},
        {"in_force": False},
    ),
}


@dataclass(frozen=True)
class Registry:
    """Of each of `AGENCIES` a client and a grant of it; `things` are their keys, by kind."""

    identity: Identity
    things: Mapping[str, Sequence[str]]

    async def change(self, what: str, body: object, right: Limits) -> Response:
        return await self.identity.call(f"POST {ROOT}/{what}", right=right.claims, json=body)

    async def listed(self, kind: str, right: Limits, /, **asked: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            params = {"limit": 500, **asked}
            answer = await self.identity.call(
                f"GET {ROOT}/{kind}", right=right.claims, params=params
            )
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            if (following := answer.json()["next"]) is None:
                return items
            asked["after"] = following

    async def look(self, kind: str, thing: str, right: Limits) -> dict[str, Response]:
        """In each way that names it; what would change it is out of date, or repeats."""
        name = {"agencies": "code", "clients": "client_id", "grants": "grant_id"}[kind]
        one, stale = f"{ROOT}/{kind}/{{{name}}}", {"headers": {"If-Match": '"999"'}}
        ways: dict[str, dict[str, Any]] = {f"GET {one}": {}}
        if kind == "clients":
            ways |= {
                f"POST {one}/keys": {"json": JWK},
                f"DELETE {one}/keys/{{kid}}": {},
                f"POST {one}/deactivation": stale,
                f"POST {one}/reactivation": stale,
            }
        elif kind == "agencies":
            ways[f"POST {one}/reopening"] = stale
        elif kind == "grants":
            ways[f"POST {one}/revocation"] = stale
        at = {name: thing, "kid": "k9"}
        return {
            way: await self.identity.call(way, at=at, right=right.claims, **sent)
            for way, sent in ways.items()
        }


@pytest.fixture(scope="session")
async def registry(postgres: Databases) -> AsyncIterator[Registry]:
    settings = make_settings(postgres.migrated_url("identity_service"), people=0)
    await seed(settings)
    async with serving(settings, TestAuthority()) as identity:
        made = Registry(identity, {"agencies": AGENCIES, "clients": [], "grants": []})
        clients, grants = await fill(made)
        yield Registry(identity, {"agencies": AGENCIES, "clients": clients, "grants": grants})


async def fill(registry: Registry) -> tuple[list[str], list[str]]:
    clients, grants = [], []
    for place, code in enumerate(AGENCIES):
        new = {"code": code, "name": "Đơn vị", "level": "commune", "valid_from": "2026-01-01"}
        assert (await registry.change("agencies", new, Limits())).status_code in {201, 409}
        client = {"client_id": f"system-{place}", "agency": code, "name": "Hệ", "kind": "sandbox"}
        answer = await registry.change("clients", client, Limits())
        assert answer.status_code == 201, answer.text
        clients.append(answer.json()["client_id"])
        answer = await registry.change("grants", grant(clients[-1], Limits()), Limits())
        assert answer.status_code == 201, answer.text
        grants.append(answer.json()["id"])
    return clients, grants


def grant(client: str, given: Limits) -> dict[str, Any]:
    operations = {"operations": ["GET /dossier/v1/dossiers/{code}"], "legal_basis": "Luật 26/2023"}
    return {"client_id": client, **operations, **given.claims}


@tried(15)
@given(limits)
async def test_entry_outside_the_right_is_not_in_the_registry(
    registry: Registry, right: Limits
) -> None:
    for kind in KINDS:
        nobodys = {"agencies": "H99", "clients": "nobody-1", "grants": str(uuid4())}[kind]
        answers = await registry.look(kind, nobodys, right)
        unknown = {way: told(each, nobodys) for way, each in answers.items()}
        assert {status for status, *_ in unknown.values()} == {404}
        for code, thing in zip(AGENCIES, registry.things[kind], strict=True):
            answers = await registry.look(kind, thing, right)
            same = {way for way, each in answers.items() if told(each, thing) == unknown[way]}
            assert same == (set() if right.reaches(code) else set(answers))


@tried(10)
@given(limits)
async def test_no_filter_and_no_cursor_of_another_widens_a_registry(
    registry: Registry, right: Limits
) -> None:
    owners = {each["client_id"]: each["agency"] for each in await registry.listed("clients", ALL)}
    for kind in KINDS:
        for asked in FILTERS[kind]:
            every = await registry.listed(kind, ALL, **asked)
            within = [each for each in every if right.reaches(agency_of(each, owners))]
            assert await registry.listed(kind, right, **asked) == within, (kind, asked)
    for kind in ("clients", "grants"):
        page = await registry.identity.call(f"GET {ROOT}/{kind}", params={"limit": 2})
        rest = await registry.listed(kind, ALL, limit=2, after=page.json()["next"])
        mine = await registry.listed(kind, right, limit=2, after=page.json()["next"])
        assert mine == [each for each in rest if right.reaches(agency_of(each, owners))]


def agency_of(entry: Mapping[str, Any], owners: Mapping[str, str]) -> str:
    found = owners.get(entry.get("client_id", ""), entry.get("code"))
    assert found
    return found


@tried(40)
@given(limits, limits, agencies)
async def test_nobody_gives_more_than_it_has(
    registry: Registry, right: Limits, given_on: Limits, to: str
) -> None:
    client = registry.things["clients"][AGENCIES.index(to)]
    answer = await registry.change("grants", grant(client, given_on), right)
    if not right.includes(given_on):
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    elif not right.reaches(to):
        nobodys = await registry.change("grants", grant("nobody-1", given_on), right)
        assert answer.json()["type"] == "/problems/client-unknown"
        assert told(answer, client) == told(nobodys, "nobody-1")
    else:
        assert answer.status_code == 201, answer.text


@tried(15)
@given(limits, agencies)
async def test_nobody_registers_for_an_agency_outside_its_right(
    registry: Registry, right: Limits, code: str
) -> None:
    """Whether such an agency or client is there already is not told."""
    new = {"code": code, "name": "Đơn vị", "level": "commune", "valid_from": "2026-01-01"}
    there = await registry.change("agencies", new, right)
    assert there.status_code == (409 if right.reaches(code) else 403)
    if not right.reaches(code):
        absent = await registry.change("agencies", new | {"code": f"{code}.99"}, right)
        assert told(absent, None) == told(there, None)
    client = {"client_id": "system-0", "name": "Hệ", "kind": "sandbox"}
    named = await registry.change("clients", client | {"agency": code}, right)
    assert named.status_code == (409 if right.reaches(code) else 422)
    if not right.reaches(code):
        unknown = await registry.change("clients", client | {"agency": "H99"}, right)
        assert told(named, code) == told(unknown, "H99")


@tried(10)
@given(limits)
async def test_dead_letters_are_for_a_right_without_limits(
    country: Country, things: Things, right: Limits
) -> None:
    """Whose they are cannot be told; that one is there is not told either."""
    client = {"X-Client": "operator-vpcp", "X-Agency": "G22"}
    for operation in OPERATIONS.values():
        if "/dead-letters" not in operation.name:
            continue
        signed = country.right("operator-vpcp", operation, **right.claims)
        answers = []
        for letter in (things.letters[operation.service], str(uuid4())):
            path = operation.template.format(letter_id=letter)
            answer = await country.ask_service(operation, path, client | {RIGHT_HEADER: signed})
            answers.append((answer, letter))
        if right == ALL:
            assert {each.status_code for each, _ in answers} <= {200, 404, 409}
            continue
        assert {each.status_code for each, _ in answers} == {403}
        first, other = (told(each, letter) for each, letter in answers)
        assert first == other
