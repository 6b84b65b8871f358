from uuid import uuid4

import pytest

from tests.identity_service.calls import ONE_STOP, Identity

LIST = "GET /identity/v1/agencies"
READ = "GET /identity/v1/agencies/{code}"
REGISTER = "POST /identity/v1/agencies"


def new(code: str, **over: object) -> dict[str, object]:
    return {
        "code": code,
        "name": "Ủy ban nhân dân xã Hòa Bình",
        "level": "commune",
        "parent": "H26",
        "valid_from": "2026-01-01",
    } | over


async def test_communes_stand_below_their_province(identity: Identity) -> None:
    response = await identity.call(READ, at={"code": "H26.101"})
    assert response.status_code == 200
    assert response.headers["ETag"] == '"1"'
    agency = response.json()
    assert (agency["level"], agency["parent"]) == ("commune", "H26")
    assert agency["valid_from"] == "2025-07-01"


async def test_a_joined_province_names_its_successor(identity: Identity) -> None:
    agency = (await identity.call(READ, at={"code": "H02"})).json()
    assert agency["valid_to"] == "2025-06-30"
    successor = (await identity.call(READ, at={"code": agency["successor"]})).json()
    assert successor["valid_to"] is None


async def test_each_seeded_agency_was_announced_once(identity: Identity) -> None:
    events = await identity.events("H26.101")
    assert [event["type"] for event in events] == ["identity.agency.changed.v1"]
    assert (events[0]["version"], events[0]["parent"]) == (1, "H26")


async def test_pages_hold_every_agency_once(identity: Identity) -> None:
    codes: list[str] = []
    after: dict[str, str] = {}
    while True:
        query = {"level": "province", "limit": "20"} | after
        page = (await identity.call(LIST, params=query)).json()
        codes += [agency["code"] for agency in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(codes) == len(set(codes)) == 63
    assert codes == sorted(codes)


@pytest.mark.parametrize(("day", "count"), [("2025-06-30", 63), ("2025-07-01", 34)])
async def test_a_day_shows_the_provinces_that_existed_on_it(
    identity: Identity, day: str, count: int
) -> None:
    query = {"level": "province", "on": day, "limit": "100"}
    page = (await identity.call(LIST, params=query)).json()
    assert len(page["items"]) == count


@pytest.mark.parametrize("words", ["nghe an", "Nghệ An", "NGHỆ  AN"])
async def test_a_name_is_found_with_and_without_diacritics(identity: Identity, words: str) -> None:
    query = {"q": words, "level": "province"}
    page = (await identity.call(LIST, params=query)).json()
    assert [agency["code"] for agency in page["items"]] == ["H41"]


async def test_a_code_is_found_in_its_old_form_too(identity: Identity) -> None:
    page = (await identity.call(LIST, params={"q": "000.00.00.H41"})).json()
    assert [agency["code"] for agency in page["items"]] == ["H41"]


async def test_agencies_outside_the_right_do_not_exist(identity: Identity) -> None:
    right = {"agencies": ["H26"]}
    page = (await identity.call(LIST, right=right, params={"limit": "500"})).json()
    assert {agency["code"].split(".")[0] for agency in page["items"]} == {"H26"}
    seen = await identity.call(READ, at={"code": "H26.101"}, right=right)
    assert seen.status_code == 200
    for hidden in ("H29", "H29.101"):
        assert (await identity.call(READ, at={"code": hidden}, right=right)).status_code == 404


async def test_an_unknown_agency_is_not_found(identity: Identity) -> None:
    response = await identity.call(READ, at={"code": "H99"})
    assert response.status_code == 404
    assert response.json()["type"] == "/problems/agency-not-found"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"level": "village"}, 422),
        ({"on": "30/06/2025"}, 422),
        ({"parent": "not a code"}, 422),
        ({"limit": "0"}, 422),
        ({"limit": "501"}, 422),
        ({"q": "nul\0"}, 422),
        ({"after": "!!!"}, 400),
        ({"after": "WyJcdTAwMDAiXQ"}, 400),
        ({"after": "WzFd"}, 400),
        ({"after": "WyJhIiwiYiJd"}, 400),
    ],
)
async def test_a_malformed_filter_or_cursor_is_refused(
    identity: Identity, query: dict[str, str], status: int
) -> None:
    response = await identity.call(LIST, params=query)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


async def test_an_operator_registers_an_agency_and_it_is_announced(identity: Identity) -> None:
    response = await identity.call(REGISTER, json=new("H26.901"))
    assert response.status_code == 201
    assert response.headers["ETag"] == '"1"'
    shown = (await identity.call(READ, at={"code": "H26.901"})).json()
    assert response.json() == shown | {"replaced": []}
    events = await identity.events("H26.901")
    assert [event["version"] for event in events] == [1]
    found = (await identity.call(LIST, params={"q": "xa hoa binh", "parent": "H26"})).json()
    assert "H26.901" in [agency["code"] for agency in found["items"]]


async def test_an_agency_that_replaces_others_closes_them(identity: Identity) -> None:
    for code in ("H26.911", "H26.912"):
        await identity.call(REGISTER, json=new(code))
    merged = new("H26.913", valid_from="2026-07-01", replaces=["H26.911", "H26.912"])
    registered = await identity.call_by_two(REGISTER, json=merged)
    assert (registered.status_code, registered.json()["replaced"]) == (201, merged["replaces"])
    for code in ("H26.911", "H26.912"):
        closed = await identity.call(READ, at={"code": code})
        assert closed.headers["ETag"] == '"2"'
        assert (closed.json()["valid_to"], closed.json()["successor"]) == ("2026-06-30", "H26.913")
        latest = (await identity.events(code))[-1]
        assert (latest["version"], latest["successor"]) == (2, "H26.913")


async def test_an_agency_that_is_closed_cannot_be_replaced_again(identity: Identity) -> None:
    again = new("H26.921", valid_from="2026-07-01", replaces=["H02"])
    response = await identity.call(REGISTER, json=again)
    assert response.status_code == 422
    assert response.json()["type"] == "/problems/agency-closed"
    assert (await identity.call(READ, at={"code": "H26.921"})).status_code == 404
    assert await identity.events("H26.921") == []


async def test_only_an_operator_registers_agencies(identity: Identity) -> None:
    response = await identity.call(REGISTER, by=ONE_STOP, json=new("H26.931"))
    assert response.status_code == 403
    assert response.json()["type"] == "/problems/operators-only"


async def test_a_code_is_registered_once(identity: Identity) -> None:
    response = await identity.call(REGISTER, json=new("H26.101"))
    assert response.status_code == 409
    kept = (await identity.call(READ, at={"code": "H26.101"})).json()
    assert (kept["version"], kept["valid_from"]) == (1, "2025-07-01")


async def test_an_unknown_parent_is_named(identity: Identity) -> None:
    response = await identity.call(REGISTER, json=new("H26.941", parent="H98", replaces=["H97"]))
    assert response.status_code == 422
    assert response.json()["agencies"] == ["H97", "H98"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "H26-1"},
        {"code": "h26.950"},
        {"level": "village"},
        {"name": ""},
        {"name": "nul\0"},
        {"valid_from": "0001-01-01"},
        {"valid_from": "2026-13-01"},
        {"unit_code": "1"},
        {"wholly": "unknown"},
    ],
)
async def test_a_malformed_agency_is_refused(identity: Identity, wrong: dict[str, object]) -> None:
    response = await identity.call(REGISTER, json=new("H26.950") | wrong)
    assert response.status_code == 422
    assert response.json()["errors"]


async def test_a_repeated_request_gets_the_first_answer(identity: Identity) -> None:
    once = {"Idempotency-Key": str(uuid4())}
    first = await identity.call(REGISTER, json=new("H26.961"), headers=once)
    again = await identity.call(REGISTER, json=new("H26.961"), headers=once)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"]
    assert first.headers["Location"] == again.headers["Location"] == "/identity/v1/agencies/H26.961"
    assert len(await identity.events("H26.961")) == 1
    other = await identity.call(REGISTER, json=new("H26.962"), headers=once)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"


async def test_nobody_registers_or_closes_an_agency_outside_its_right(identity: Identity) -> None:
    right = {"agencies": ["H26"]}
    for code in ("H29.921", "H29"):
        beyond = await identity.call(REGISTER, right=right, json=new(code))
        assert (beyond.status_code, beyond.json()["agencies"]) == (403, ["H26"])
    for named in ({"replaces": ["H29.101"]}, {"parent": "H29"}):
        unseen = await identity.call(REGISTER, right=right, json=new("H26.921", **named))
        assert unseen.json()["type"] == "/problems/agency-unknown"
    assert (await identity.call(READ, at={"code": "H29.101"})).headers["ETag"] == '"1"'
    within = await identity.call(REGISTER, right=right, json=new("H26.921"))
    assert within.status_code == 201
