"""A grant that a client gives ends with the grants of its own by which it gave it."""

import asyncio
from typing import Any

import pytest
from httpx import Response

from tests.identity_service.calls import OPERATOR, Identity
from tests.identity_service.client_acts import DEACTIVATE, REACTIVATE
from tests.identity_service.grants.test_grant_rules import GIVE, INDICATORS, REVOKE, new, register

LIST = "GET /identity/v1/grants"
PROCEDURES = "GET /dossier/v1/procedures"


async def give(identity: Identity, by: tuple[str, str], **grant: Any) -> str:
    given = await identity.call(GIVE, by=by, json=grant)
    assert given.status_code == 201, given.text
    grant_id: str = given.json()["id"]
    return grant_id


async def revoke(
    identity: Identity, grant_id: str, by: tuple[str, str] = OPERATOR
) -> dict[str, Any]:
    headers = {"If-Match": '"1"', "X-Officer": "officer-9"}
    answer = await identity.call(REVOKE, by=by, at={"grant_id": grant_id}, headers=headers)
    assert answer.status_code == 200, answer.text
    revoked: dict[str, Any] = answer.json()
    return revoked


async def deactivate(identity: Identity, client: str) -> Response:
    at, headers = {"client_id": client}, {"If-Match": '"1"', "X-Officer": "officer-9"}
    return await identity.call_by_two(DEACTIVATE, at=at, headers=headers)


async def grants_of(identity: Identity, client: str, operation: str) -> list[dict[str, Any]]:
    query = {"client_id": client, "operation": operation}
    listed = await identity.call(LIST, params=query)
    items: list[dict[str, Any]] = listed.json()["items"]
    return items


async def test_revocation_ends_all_that_rests_on_the_grant(identity: Identity) -> None:
    first = await register(identity, "H26", new(GIVE), new(INDICATORS))
    [root] = await grants_of(identity, first[0], INDICATORS)
    second = await register(identity, "H29", new(GIVE))
    third, _ = await register(identity, "H14")
    copy = await give(identity, first, **new(INDICATORS, to=first[0]))
    passed = await give(identity, first, **new(INDICATORS, to=second[0]))
    again = await give(identity, second, **new(INDICATORS, to=third))
    await revoke(identity, root["id"])
    for client, grant_id in ((first[0], copy), (second[0], passed), (third, again)):
        ended = {each["id"]: each for each in await grants_of(identity, client, INDICATORS)}
        assert (ended[grant_id]["revoked_by"], ended[grant_id]["revoked_by_officer"]) == (
            OPERATOR[0],
            "officer-9",
        )
        told = [each for each in await identity.events(client) if each.get("grant_id") == grant_id]
        assert [(each["version"], each["revoked"]) for each in told] == [(1, False), (2, True)]
    assert (await grants_of(identity, first[0], GIVE))[0]["revoked_at"] is None


async def test_grant_rests_on_the_oldest_that_covers_and_outlives_others(
    identity: Identity,
) -> None:
    giver = await register(identity, "H26", new(GIVE), new(INDICATORS), new(PROCEDURES))
    copy = await give(identity, giver, **new(INDICATORS, to=giver[0]))
    both = await give(identity, giver, **new(INDICATORS, PROCEDURES))
    [old] = [g for g in await grants_of(identity, giver[0], INDICATORS) if g["id"] != copy]
    [procedures] = await grants_of(identity, giver[0], PROCEDURES)
    given = {each["id"]: each for each in await grants_of(identity, "newcomer-h14", INDICATORS)}
    assert sorted(given[both]["rests_on"]) == sorted([old["id"], procedures["id"]])
    await revoke(identity, copy, giver)
    given = {each["id"]: each for each in await grants_of(identity, "newcomer-h14", INDICATORS)}
    assert given[both]["revoked_at"] is None
    await revoke(identity, procedures["id"])
    given = {each["id"]: each for each in await grants_of(identity, "newcomer-h14", INDICATORS)}
    assert given[both]["revoked_at"] is not None


async def test_grant_of_an_operator_rests_on_none(identity: Identity) -> None:
    client, _ = await register(identity, "H26", new(INDICATORS))
    [grant] = await grants_of(identity, client, INDICATORS)
    assert grant["rests_on"] == []


async def test_grant_that_is_given_while_its_own_is_revoked_ends_or_is_refused(
    identity: Identity,
) -> None:
    giver = await register(identity, "H26", new(GIVE), new(INDICATORS))
    [root] = await grants_of(identity, giver[0], INDICATORS)
    body = new(INDICATORS, to=giver[0])
    await asyncio.gather(
        revoke(identity, root["id"]),
        *(identity.call(GIVE, by=giver, json=body) for _ in range(6)),
    )
    left = await grants_of(identity, giver[0], INDICATORS)
    assert [each["id"] for each in left if each["revoked_at"] is None] == []


@pytest.mark.parametrize("count", [0, 3, 25])
async def test_answer_to_a_revocation_names_the_grants_that_ended(
    identity: Identity, count: int
) -> None:
    """The record commits to the answer, so that each of these ends is proved by it."""
    giver = await register(identity, "H26", new(GIVE), new(INDICATORS))
    [root] = await grants_of(identity, giver[0], INDICATORS)
    given = [await give(identity, giver, **new(INDICATORS)) for _ in range(count)]
    revoked = await revoke(identity, root["id"])
    assert revoked["ended_count"] == count + 1
    assert revoked["ended_grants"] == [root["id"], *sorted(given)][:20]


async def test_deactivation_ends_for_good_what_its_client_gave(identity: Identity) -> None:
    giver = await register(identity, "H26", new(GIVE), new(INDICATORS))
    second = await register(identity, "H29", new(GIVE))
    third, _ = await register(identity, "H14")
    copy = await give(identity, giver, **new(INDICATORS, to=giver[0]))
    passed = await give(identity, giver, **new(INDICATORS, to=second[0]))
    again = await give(identity, second, **new(INDICATORS, to=third))
    answer = await deactivate(identity, giver[0])
    assert answer.status_code == 200, answer.text
    assert answer.json()["ended_grants"] == [passed, again]
    assert answer.json()["ended_count"] == 2
    reactivated = await identity.call(
        REACTIVATE, at={"client_id": giver[0]}, headers={"If-Match": '"2"'}
    )
    assert reactivated.status_code == 200, reactivated.text
    for client, grant_id in ((second[0], passed), (third, again)):
        ended = {each["id"]: each for each in await grants_of(identity, client, INDICATORS)}
        assert ended[grant_id]["revoked_by_officer"] == "officer-9"
        told = [each for each in await identity.events(client) if each.get("grant_id") == grant_id]
        assert [(each["version"], each["revoked"]) for each in told] == [(1, False), (2, True)]
    own = await grants_of(identity, giver[0], INDICATORS)
    assert [each["revoked_at"] for each in own if each["id"] == copy] == [None]
    assert {each["revoked_at"] for each in own} == {None}


async def test_deactivation_ends_nothing_that_an_operator_or_another_client_gave(
    identity: Identity,
) -> None:
    giver = await register(identity, "H26", new(GIVE), new(INDICATORS))
    other = await register(identity, "H29", new(GIVE), new(INDICATORS))
    kept = [await give(identity, by, **new(INDICATORS)) for by in (other, OPERATOR)]
    answer = await deactivate(identity, giver[0])
    assert (answer.json()["ended_grants"], answer.json()["ended_count"]) == ([], 0)
    listed = {each["id"]: each for each in await grants_of(identity, "newcomer-h14", INDICATORS)}
    assert {listed[each]["revoked_at"] for each in kept} == {None}
