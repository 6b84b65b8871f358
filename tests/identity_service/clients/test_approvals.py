"""An act of one operator has not the effect of an act of two."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from tests.identity_service.agencies.test_use_cases import REGISTER
from tests.identity_service.agencies.test_use_cases import new as agency
from tests.identity_service.calls import ONE_STOP, OPERATOR, SECOND_OPERATOR, Identity
from tests.identity_service.grants.test_grant_rules import (
    GIVE,
    INDICATORS,
    REVOKE,
    VERIFYING,
    new,
    register,
)

READ = "GET /identity/v1/grants/{grant_id}"
REOPEN = "POST /identity/v1/agencies/{code}/reopening"
FIRST = {"If-Match": '"1"'}


async def register_operator(identity: Identity) -> tuple[str, str]:
    client = f"operator-{uuid4().hex}"
    made = {"client_id": client, "agency": "G22", "name": "x", "kind": "production"}
    made_operator = await identity.call("POST /identity/v1/clients", json=made | {"operator": True})
    assert made_operator.status_code == 201
    return client, "G22"


async def give(identity: Identity, to: str, *operations: str, by: Any = OPERATOR) -> str:
    given = await identity.call(GIVE, by=by, json=new(*operations, to=to))
    assert given.status_code == 201, given.text
    grant_id: str = given.json()["id"]
    return grant_id


async def revoke(identity: Identity, grant_id: str, by: tuple[str, str] = OPERATOR) -> Response:
    return await identity.call(REVOKE, by=by, at={"grant_id": grant_id}, headers=FIRST)


@pytest.mark.parametrize("operation", ["*", GIVE, "POST /identity/v1/grants/{grant_id}/revocation"])
async def test_one_operator_alone_takes_no_administration_from_another(
    identity: Identity, operation: str
) -> None:
    other, _ = await register_operator(identity)
    grant_id = await give(identity, other, operation, INDICATORS)
    for _ in range(2):
        proposed = await revoke(identity, grant_id)
        assert proposed.status_code == 202, proposed.text
        assert proposed.json()["act"] == "revoke-grant"
        assert proposed.json()["client_id"] == other
    kept = await identity.call(READ, at={"grant_id": grant_id})
    assert (kept.json()["revoked_at"], kept.headers["ETag"]) == (None, '"1"')
    ended = await revoke(identity, grant_id, by=SECOND_OPERATOR)
    assert (ended.status_code, ended.json()["revoked_by"]) == (200, SECOND_OPERATOR[0])


async def test_operator_gives_up_its_own_power_and_takes_that_of_others_without_a_second(
    identity: Identity,
) -> None:
    other, agency = await register_operator(identity)
    own = await give(identity, other, "*")
    data = await give(identity, other, INDICATORS)
    client, _ = await register(identity, "H26")
    power_of_client = await give(identity, client, GIVE)
    assert (await revoke(identity, own, by=(other, agency))).status_code == 200
    for grant_id in (data, power_of_client):
        assert (await revoke(identity, grant_id)).status_code == 200


async def test_one_operator_alone_ends_few_grants_of_others_in_a_day(identity: Identity) -> None:
    giver, *clients = [(await register(identity, "H26"))[0] for _ in range(3)]
    stripper = await register_operator(identity)
    await give(identity, stripper[0], "*")
    root = await give(identity, giver, GIVE, INDICATORS)
    for _ in range(17):
        await give(identity, clients[0], INDICATORS, by=(giver, "H26"))
    own = await give(identity, clients[1], INDICATORS, by=stripper)
    others = [await give(identity, clients[1], VERIFYING) for _ in range(3)]
    assert (await revoke(identity, root, by=stripper)).json()["ended_count"] == 18
    answers = [(await revoke(identity, each, by=stripper)).status_code for each in others]
    assert answers == [200, 200, 202]
    assert (await revoke(identity, own, by=stripper)).status_code == 200
    assert (await revoke(identity, others[-1])).status_code == 200


async def register_agency(identity: Identity, **over: object) -> str:
    code = f"H26.{uuid4().int % 1000}.{uuid4().int % 1000}"
    made = await identity.call(REGISTER, json=agency(code, **over))
    assert made.status_code == 201, made.text
    return code


async def test_one_operator_alone_closes_no_agency(identity: Identity) -> None:
    old, code = await register_agency(identity), f"H26.{uuid4().int % 1000}.{uuid4().int % 1000}"
    merged = agency(code, valid_from="2026-07-01", replaces=[old])
    for _ in range(2):
        proposed = await identity.call(REGISTER, json=merged)
        assert (proposed.status_code, proposed.json()["act"]) == (202, "replace")
        assert proposed.json()["code"] == code
    for other in ({"valid_from": "2026-06-01"}, {"name": "Another"}):
        answer = await identity.call(REGISTER, by=SECOND_OPERATOR, json=merged | other)
        assert answer.status_code == 202
    assert (await read_agency(identity, old))["version"] == 1
    done = await identity.call(REGISTER, by=SECOND_OPERATOR, json=merged)
    assert (done.status_code, done.json()["replaced"]) == (201, [old])


async def read_agency(identity: Identity, code: str) -> dict[str, Any]:
    found = await identity.call("GET /identity/v1/agencies/{code}", at={"code": code})
    shown: dict[str, Any] = found.json()
    return shown


async def test_two_operators_reopen_an_agency_that_was_closed_by_mistake(
    identity: Identity,
) -> None:
    old, code = await register_agency(identity), f"H26.{uuid4().int % 1000}.{uuid4().int % 1000}"
    merged = agency(code, valid_from="2026-07-01", replaces=[old])
    assert (await identity.call_by_two(REGISTER, json=merged)).json()["replaced"] == [old]
    assert (await read_agency(identity, old))["successor"] == code
    at: dict[str, Any] = {"at": {"code": old}, "headers": {"If-Match": '"2"'}}
    refused = await identity.call(REOPEN, by=ONE_STOP, **at)
    assert refused.json()["type"] == "/problems/operators-only"
    reopened = await identity.call_by_two(REOPEN, **at)
    assert (reopened.status_code, reopened.headers["ETag"]) == (200, '"3"')
    shown = await read_agency(identity, old)
    assert (shown["valid_to"], shown["successor"]) == (None, None)
    last = (await identity.events(old))[-1]
    assert (last["version"], last["valid_to"], last["successor"]) == (3, None, None)
    again = await identity.call(REOPEN, at={"code": old}, headers={"If-Match": '"3"'})
    assert (again.status_code, again.json()) == (200, shown)
