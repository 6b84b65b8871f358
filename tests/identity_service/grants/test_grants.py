import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from identity_service.grants.ownership import find_owner
from tests.identity_service.calls import ONE_STOP, POLICE, VERIFY, Identity

LIST = "GET /identity/v1/grants"
READ = "GET /identity/v1/grants/{grant_id}"
GIVE = "POST /identity/v1/grants"
REVOKE = "POST /identity/v1/grants/{grant_id}/revocation"
VERIFYING = f"POST {VERIFY}"
FILING = "POST /dossier/v1/dossiers"


def new(**over: object) -> dict[str, object]:
    return {
        "client_id": "newcomer-h14",
        "operations": [VERIFYING],
        "procedures": ["1.001193"],
        "fields": ["full_name", "birth_date"],
        "legal_basis": "NĐ 118/2025/NĐ-CP Điều 9",
        "per_second": 50,
    } | over


async def give(identity: Identity, **over: object) -> str:
    response = await identity.call(GIVE, by=POLICE, json=new(**over))
    assert response.status_code == 201, response.text
    grant_id: str = response.json()["id"]
    assert response.headers["Location"] == f"/identity/v1/grants/{grant_id}"
    return grant_id


async def test_the_owner_of_the_register_gives_a_right_and_it_is_announced(
    identity: Identity,
) -> None:
    grant_id = await give(identity)
    read = await identity.call(READ, at={"grant_id": grant_id})
    grant = read.json()
    assert (read.headers["ETag"], grant["given_by"]) == ('"1"', "police-g01")
    assert grant["revoked_at"] is None
    event = (await identity.events("newcomer-h14"))[-1]
    assert event["type"] == "identity.grant.changed.v1"
    assert {name: event[name] for name in ("grant_id", "version", "revoked")} == {
        "grant_id": grant_id,
        "version": 1,
        "revoked": False,
    }
    for name, asked in new().items():
        assert event[name] == asked


async def test_who_does_not_own_the_data_gives_no_right_to_it(identity: Identity) -> None:
    by_police = await identity.call(GIVE, by=POLICE, json=new(operations=[VERIFYING, FILING]))
    assert by_police.status_code == 403
    assert by_police.json()["type"] == "/problems/not-the-owner"
    assert by_police.json()["operations"] == [FILING]
    by_one_stop = await identity.call(GIVE, by=ONE_STOP, json=new())
    assert by_one_stop.status_code == 403
    everything = await identity.call(GIVE, by=POLICE, json=new(operations=["*"]))
    assert everything.status_code == 403


async def test_an_operator_gives_any_right(identity: Identity) -> None:
    for operations in ([FILING], ["*"], [VERIFYING]):
        response = await identity.call(GIVE, json=new(operations=operations, fields=None))
        assert response.status_code == 201


@pytest.mark.parametrize(
    ("operation", "agency"),
    [
        ("POST /identity/v1/verifications", "G01"),
        ("GET /dossier/v1/dossiers/{code}", "G22"),
        ("GET /sync/v1/indicators", "G22"),
        ("*", None),
    ],
)
def test_who_owns_what(operation: str, agency: str | None) -> None:
    assert find_owner(operation) == agency


async def test_nobody_gives_more_rows_than_its_own_right_covers(identity: Identity) -> None:
    right = {"agencies": ["H14"]}
    beyond = await identity.call(GIVE, right=right, json=new(agencies=["H14", "H26"]))
    assert beyond.status_code == 403
    unlimited = await identity.call(GIVE, right=right, json=new())
    assert unlimited.status_code == 403
    within = await identity.call(GIVE, right=right, json=new(agencies=["H14"]))
    assert within.status_code == 201


TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    "limits",
    [
        {"agencies": ["H02"]},
        {"agencies": ["H26", "H02"]},
        {"agencies": ["H02"], "valid_from": TOMORROW},
    ],
    ids=["alone", "among others", "from tomorrow on"],
)
async def test_grant_for_a_closed_agency_is_refused_and_names_its_successor(
    identity: Identity, limits: dict[str, object]
) -> None:
    refused = await identity.call(GIVE, by=POLICE, json=new(**limits))
    assert refused.status_code == 422
    problem = refused.json()
    assert (problem["type"], problem["agency"]) == ("/problems/agency-closed", "H02")
    agency = await identity.call("GET /identity/v1/agencies/{code}", at={"code": "H02"})
    assert problem["successor"] == agency.json()["successor"] is not None
    successor = new(agencies=[problem["successor"]])
    assert (await identity.call(GIVE, by=POLICE, json=successor)).status_code == 201


async def test_grant_for_an_agency_of_tomorrow_begins_with_it(identity: Identity) -> None:
    agency = {"code": "H26.917", "name": "Xã Ngày mai", "level": "commune", "parent": "H26"}
    day = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    made = await identity.call("POST /identity/v1/agencies", json=agency | {"valid_from": day})
    assert made.status_code == 201, made.text
    early = await identity.call(GIVE, by=POLICE, json=new(agencies=["H26.917"]))
    assert (early.status_code, early.json()["type"]) == (422, "/problems/agency-closed")
    in_time = new(agencies=["H26.917"], valid_from=f"{day}T00:00:00+07:00")
    assert (await identity.call(GIVE, by=POLICE, json=in_time)).status_code == 201


@pytest.mark.parametrize(
    ("limit", "own", "within", "beyond"),
    [
        ("procedures", ["1.001193"], ["1.001193.H26"], ["1.001193", "2.000815"]),
        ("procedures", ["1.001193.H26"], ["1.001193.H26"], ["1.001193"]),
        ("fields", ["full_name"], ["full_name"], ["full_name", "sex"]),
    ],
)
async def test_nobody_gives_a_wider_right_than_its_own(
    identity: Identity, limit: str, own: list[str], within: list[str], beyond: list[str]
) -> None:
    for asked, status in ((within, 201), (beyond, 403), (None, 403)):
        wanted = new(**{limit: asked})
        response = await identity.call(GIVE, right={limit: own}, json=wanted)
        assert response.status_code == status, response.text
        assert status == 201 or response.json()[limit] == own


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"client_id": "nobody-at-all"}, "/problems/client-unknown"),
        ({"agencies": ["H26", "H98"]}, "/problems/agency-unknown"),
        ({"agencies": []}, "/problems/invalid-request"),
        ({"agencies": ["Hà Nội"]}, "/problems/invalid-request"),
        ({"operations": []}, "/problems/invalid-request"),
        ({"operations": ["verifications"]}, "/problems/invalid-request"),
        ({"procedures": ["birth"]}, "/problems/invalid-request"),
        ({"fields": ["Họ tên"]}, "/problems/invalid-request"),
        ({"legal_basis": "x"}, "/problems/invalid-request"),
        ({"per_second": 0}, "/problems/invalid-request"),
        ({"valid_to": "9999-12-31T23:59:59-12:00"}, "/problems/invalid-request"),
        ({"valid_to": "2026-01-01"}, "/problems/invalid-request"),
        ({"valid_from": "2026-01-01T00:00:00"}, "/problems/invalid-request"),
        (
            {"valid_from": "2026-02-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
            "/problems/grant-ended",
        ),
        ({"valid_to": "2020-01-01T00:00:00Z"}, "/problems/grant-ended"),
    ],
)
async def test_a_grant_that_cannot_be_is_refused(
    identity: Identity, wrong: dict[str, object], problem: str
) -> None:
    response = await identity.call(GIVE, json=new(**wrong))
    assert response.status_code == 422
    assert response.json()["type"] == problem


async def test_a_client_that_was_deactivated_gets_no_right(identity: Identity) -> None:
    client = {"client_id": "gone-system", "agency": "G18", "name": "x", "kind": "production"}
    await identity.call("POST /identity/v1/clients", json=client)
    await identity.call_by_two(
        "POST /identity/v1/clients/{client_id}/deactivation",
        at={"client_id": "gone-system"},
        headers={"If-Match": '"1"'},
    )
    response = await identity.call(GIVE, json=new(client_id="gone-system"))
    assert response.json()["type"] == "/problems/client-unknown"


async def test_a_revocation_needs_the_version_that_was_read_and_is_announced(
    identity: Identity,
) -> None:
    grant_id = await give(identity)
    at = {"grant_id": grant_id}
    assert (await identity.call(REVOKE, by=POLICE, at=at)).status_code == 428
    stale = await identity.call(REVOKE, by=POLICE, at=at, headers={"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/changed-meanwhile")
    revoked = await identity.call(REVOKE, by=POLICE, at=at, headers={"If-Match": '"1"'})
    assert (revoked.status_code, revoked.headers["ETag"]) == (200, '"2"')
    assert revoked.json()["revoked_by"] == "police-g01"
    event = (await identity.events("newcomer-h14"))[-1]
    assert (event["grant_id"], event["version"], event["revoked"]) == (grant_id, 2, True)
    again = await identity.call(REVOKE, by=POLICE, at=at, headers={"If-Match": '"2"'})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/grant-revoked")


async def test_a_grant_tells_which_officers_gave_and_revoked_it(identity: Identity) -> None:
    given = await identity.call(GIVE, by=POLICE, json=new(), headers={"X-Officer": "G01-0007"})
    grant = given.json()
    assert (grant["given_by_officer"], grant["revoked_by_officer"]) == ("G01-0007", None)
    at, revoking = {"grant_id": grant["id"]}, {"If-Match": '"1"', "X-Officer": "G01-0008"}
    await identity.call(REVOKE, by=POLICE, at=at, headers=revoking)
    read = (await identity.call(READ, at=at)).json()
    assert (read["given_by_officer"], read["revoked_by_officer"]) == ("G01-0007", "G01-0008")
    event = (await identity.events("newcomer-h14"))[-1]
    assert "G01-0007" not in str(event)


async def test_of_two_who_revoke_at_once_one_does(identity: Identity) -> None:
    at = {"grant_id": await give(identity)}
    both = await asyncio.gather(
        *(identity.call(REVOKE, by=POLICE, at=at, headers={"If-Match": '"1"'}) for _ in range(2))
    )
    assert sorted(response.status_code for response in both) == [200, 412]
    told = Counter(event.get("grant_id") for event in await identity.events("newcomer-h14"))
    assert told[at["grant_id"]] == 2


async def test_only_the_owner_or_an_operator_revokes(identity: Identity) -> None:
    at = {"grant_id": await give(identity)}
    refused = await identity.call(REVOKE, by=ONE_STOP, at=at, headers={"If-Match": '"1"'})
    assert refused.status_code == 403
    operator = await identity.call(REVOKE, at=at, headers={"If-Match": '"1"'})
    assert operator.status_code == 200


async def test_unknown_and_hidden_grants_are_not_found(identity: Identity) -> None:
    assert (await identity.call(READ, at={"grant_id": uuid4()})).status_code == 404
    assert (await identity.call(READ, at={"grant_id": "seven"})).status_code == 422
    at = {"grant_id": await give(identity)}
    hidden = await identity.call(READ, at=at, right={"agencies": ["H26"]})
    assert hidden.status_code == 404
    seen = await identity.call(READ, at=at, right={"agencies": ["H14"]})
    assert seen.status_code == 200


async def test_grants_are_listed_by_page_and_filter(identity: Identity) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    in_force = await give(identity, client_id="auditor-g22")
    to_come = await give(identity, client_id="auditor-g22", valid_from=later)
    query = {"client_id": "auditor-g22", "operation": VERIFYING}
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await identity.call(LIST, params=query | {"limit": "1"} | after)).json()
        found += [grant["id"] for grant in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert sorted(found) == sorted([in_force, to_come])
    for asked, expected in (("true", in_force), ("false", to_come)):
        page = (await identity.call(LIST, params=query | {"in_force": asked})).json()
        assert [grant["id"] for grant in page["items"]] == [expected]


async def test_a_cursor_of_another_list_is_refused(identity: Identity) -> None:
    page = (await identity.call("GET /identity/v1/clients", params={"limit": "1"})).json()
    response = await identity.call(LIST, params={"after": page["next"]})
    assert (response.status_code, response.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_a_repeated_grant_is_given_once(identity: Identity) -> None:
    once, body = {"Idempotency-Key": str(uuid4())}, new(client_id="onestop-h29")
    first = await identity.call(GIVE, json=body, headers=once)
    again = await identity.call(GIVE, json=body, headers=once)
    assert again.json() == first.json()
    told = [event.get("grant_id") for event in await identity.events("onestop-h29")]
    assert told.count(first.json()["id"]) == 1
    other = await identity.call(GIVE, json=body | {"per_second": 51}, headers=once)
    assert other.status_code == 422
