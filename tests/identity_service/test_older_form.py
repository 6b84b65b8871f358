"""Agencies and clients that were registered in the older form of a code are those of the newer."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from sqlalchemy import text

from identity_service.persons.guesses.limiter import Attempt, GuessLimiter
from identity_service.seed import seed
from shared.codes.agency import qcvn_agency_code
from shared.codes.coverage import canonical_code
from shared.web.calls.auth import CallContext
from tests.conftest import Databases
from tests.identity_service.calls import Identity
from tests.identity_service.conftest import make_settings, serving
from tests.identity_service.grants.test_grant_rules import GIVE, VERIFYING, new, register
from tests.identity_service.older_rows import migrate_with_older_rows
from tests.support.factories import TestAuthority


@pytest.fixture(scope="module")
async def registry(
    postgres: Databases, authority: TestAuthority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Identity]:
    """A registry with rows of an earlier release, seeded since, that no other test lists."""
    sandbox = tmp_path_factory.mktemp("sandbox") / "sandbox.json"
    made = make_settings(postgres.database_url("identity_service"), sandbox_file=sandbox)
    await migrate_with_older_rows(made)
    await seed(made)
    async with serving(made, authority) as identity:
        yield identity


async def add_older_client(registry: Identity, agency: str) -> str:
    """Add a client of the agency in the older form, as only an earlier release registers it."""
    client, older = f"older-{uuid4().hex}", qcvn_agency_code(agency)
    async with registry.app.state.sessions.begin() as session:
        await session.execute(
            text(
                """INSERT INTO agency (code, version, name, search_name, level, valid_from,
                    confirmed)
                VALUES (:older, 1, 'x', 'x', 'other', '2020-01-01', true) ON CONFLICT DO NOTHING"""
            ),
            {"older": older},
        )
        await session.execute(
            text(
                """INSERT INTO client (client_id, version, agency, name, kind, operator, active)
                VALUES (:client, 1, :older, 'x', 'production', false, true)"""
            ),
            {"client": client, "older": older},
        )
    return client


async def test_clients_of_one_agency_in_two_forms_give_each_other_no_personal_data(
    registry: Identity,
) -> None:
    giver = await register(registry, "G01", new(GIVE, VERIFYING))
    beside = await add_older_client(registry, "G01")
    refused = await registry.call(GIVE, by=giver, json=new(VERIFYING, to=beside))
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/grant-to-self")


async def test_owner_in_the_older_form_gives_its_operations(registry: Identity) -> None:
    giver = await register(registry, "G01", new(GIVE, VERIFYING))
    older = (giver[0], "000.00.00.G01")
    assert (await registry.call(GIVE, by=older, json=new(VERIFYING))).status_code == 201


async def list_all(registry: Identity, operation: str, **how: Any) -> list[dict[str, Any]]:
    listed = await registry.call(operation, **how)
    assert listed.status_code == 200, listed.text
    items: list[dict[str, Any]] = listed.json()["items"]
    return items


@pytest.mark.parametrize(
    ("agencies", "found"), [(["G01"], True), (["G01.04"], True), (["G01.4"], False)]
)
async def test_right_to_an_agency_reaches_its_clients_in_either_form(
    registry: Identity, agencies: list[str], found: bool
) -> None:
    client = await add_older_client(registry, "G01.04")
    clients = await list_all(
        registry,
        "GET /identity/v1/clients",
        right={"agencies": agencies},
        params={"agency": "G01.04", "limit": 500},
    )
    assert (client in {each["client_id"] for each in clients}) is found


@pytest.mark.parametrize("code", ["Z90", "000.00.00.Z90", "Z90.04", "Z91"])
async def test_agency_of_before_is_read_by_its_code_in_either_form(
    registry: Identity, code: str
) -> None:
    read = await registry.call("GET /identity/v1/agencies/{code}", at={"code": code})
    assert (read.status_code, read.json()["code"]) == (200, canonical_code(code))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"q": "Z90"}, ["Z90"]),
        ({"q": "000.00.00.Z90"}, ["Z90"]),
        ({"q": "000.00.00.Z91"}, ["Z91"]),
        ({"parent": "Z90"}, ["Z90.04"]),
        ({"parent": "000.00.00.Z90"}, ["Z90.04"]),
    ],
)
async def test_lists_find_agencies_of_before(
    registry: Identity, wanted: dict[str, str], found: list[str]
) -> None:
    listed = await list_all(registry, "GET /identity/v1/agencies", params=wanted)
    assert [each["code"] for each in listed] == found


async def test_agency_of_before_is_not_registered_twice(registry: Identity) -> None:
    made = {"code": "Z90", "name": "xx", "level": "other", "valid_from": "2026-01-01"}
    refused = await registry.call("POST /identity/v1/agencies", json=made)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/agency-exists")


async def test_agency_of_before_takes_clients_and_grants(registry: Identity) -> None:
    client, _ = await register(registry, "000.00.00.Z90", new(VERIFYING, agencies=["Z90.04"]))
    listed = await list_all(registry, "GET /identity/v1/clients", params={"agency": "Z90"})
    assert {each["client_id"] for each in listed} == {client, "older-z90"}


async def test_clients_of_an_agency_in_two_forms_are_listed_together(registry: Identity) -> None:
    listed = await list_all(
        registry, "GET /identity/v1/clients", right={"agencies": ["Z91"]}, params={"limit": 500}
    )
    assert [each["client_id"] for each in listed] == ["newer-z91", "older-z91"]


def test_claims_are_counted_for_an_agency_in_both_forms_together() -> None:
    holders = [
        Attempt(
            cast("GuessLimiter", None),
            cast("CallContext", SimpleNamespace(client="one", agency=agency, officer=None)),
            "person",
            "079200000001",
            datetime(2026, 11, 30, tzinfo=UTC),
        ).holders
        for agency in ("G01.04", "000.00.04.G01")
    ]
    assert holders[0] == holders[1]
