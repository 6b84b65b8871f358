"""What a giver's own grants cover costs the lengths of the lists added up, never multiplied."""

import math
from collections.abc import Collection
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st

from identity_service.grants.limits import select_covering_grants
from identity_service.grants.models import Grant
from identity_service.grants.schemas import GrantIn
from tests.identity_service.calls import Identity
from tests.identity_service.grants.test_grant_rules import GIVE, INDICATORS, REVOKE, new, register

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 2_500
AGENCIES = ["H26", "H26.1", "H26.1.2", "H29", "000.00.04.G18"]
PROCEDURES = ["1.001193", "1.001193.H26", "1.001193.H29", "2.000815", "2.000815.H29"]
CATALOGUE = "GET /dossier/v1/procedures"
FIELDS = ["name", "sex", "birth_date"]


def limits(of: Collection[str]) -> st.SearchStrategy[list[str] | None]:
    return st.none() | st.lists(st.sampled_from(sorted(of)), min_size=1, max_size=5)


LIMITS = st.fixed_dictionaries(
    {"agencies": limits(AGENCIES), "procedures": limits(PROCEDURES), "fields": limits(FIELDS)}
)


@given(own=LIMITS, asked=LIMITS)
def test_grant_covers_another_where_each_of_its_codes_is_covered(
    own: dict[str, Any], asked: dict[str, Any]
) -> None:
    held = Grant(valid_from=NOW, **own)
    body = GrantIn.model_validate(new(INDICATORS, **asked))
    expected = all(
        own[name] is None
        or (
            codes is not None
            and all(any(f"{code}.".startswith(f"{wide}.") for wide in own[name]) for code in codes)
        )
        for name, codes in asked.items()
    )
    assert select_covering_grants([held], body, NOW) == ([held] if expected else [])


async def _communes(identity: Identity) -> list[str]:
    asked = {"level": "commune", "limit": 500}
    listed = await identity.call("GET /identity/v1/agencies", params=asked)
    return [agency["code"] for agency in listed.json()["items"]]


async def _seconds_of_giving(identity: Identity, giver: tuple[str, str], **over: object) -> float:
    """Return the least CPU time of this process over three grants."""
    receiver, _ = await register(identity, "H14")
    body, least = new(INDICATORS, to=receiver, **over), math.inf
    for _ in range(3):
        begun = process_time()
        given_ = await identity.call(GIVE, by=giver, json=body)
        least = min(least, process_time() - begun)
        assert given_.status_code == 201, given_.text
    return least


async def test_long_grant_out_of_long_grants_costs_little_more_than_out_of_all(
    identity: Identity,
) -> None:
    lists: dict[str, Any] = {
        "procedures": [f"1.{number:06}" for number in range(MANY)],
        "agencies": await _communes(identity),
    }
    for names in (["procedures"], ["agencies"], [*lists]):
        over = {name: lists[name] for name in names}
        wide = await register(identity, "G22", new(GIVE), new(INDICATORS))
        narrow = await register(identity, "G22", new(GIVE), *[new(INDICATORS, **over)] * 3)
        ratio = await _seconds_of_giving(identity, narrow, **over) / await _seconds_of_giving(
            identity, wide, **over
        )
        assert ratio < 5, ratio


def _codes(first: int, count: int = 5_000) -> list[str]:
    return [f"{first}.{number:06}" for number in range(count)]


async def test_grants_of_one_client_for_one_operation_have_a_bounded_number_of_codes(
    identity: Identity,
) -> None:
    client, _ = await register(identity, "H14")

    async def give(*operations: str, count: int = 4_999, **over: object) -> Response:
        body = new(*operations, to=client, procedures=_codes(1, count), **over)
        return await identity.call(GIVE, json=body)

    first = await give(INDICATORS)
    assert first.status_code == 201
    assert (await give(INDICATORS, valid_from="2190-01-01T00:00:00Z")).status_code == 201
    for operations in ([INDICATORS], [CATALOGUE, INDICATORS], ["*"]):
        refused = await give(*operations, count=1)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/right-too-long")
        assert "10000" in refused.json()["detail"]
        assert "10002" in refused.json()["detail"]
        assert refused.json()["operations"] == [INDICATORS]
    assert (await give(CATALOGUE)).status_code == 201
    at, version = {"grant_id": first.json()["id"]}, {"If-Match": '"1"'}
    assert (await identity.call(REVOKE, at=at, headers=version)).status_code == 200
    assert (await give(INDICATORS, count=1)).status_code == 201


async def test_page_of_long_grants_is_shorter_and_goes_on(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity_service.grants.repository.MAX_PAGE_CODES", 250)
    client, _ = await register(
        identity, "H14", *(new(INDICATORS, procedures=_codes(1, n)) for n in (100, 300, 100, 100))
    )
    asked: dict[str, Any] = {"client_id": client, "limit": 500}
    pages: list[list[int]] = []
    while not pages or asked.get("after"):
        page = (await identity.call("GET /identity/v1/grants", params=asked)).json()
        pages.append([len(grant["procedures"]) for grant in page["items"]])
        asked["after"] = page["next"]
    assert sorted(size for page in pages for size in page) == [100, 100, 100, 300]
    assert all(len(page) == 1 or sum(page) < 250 for page in pages)


async def test_giver_without_a_quota_of_its_own_gives_the_default_of_the_mesh_at_most(
    identity: Identity,
) -> None:
    giver = await register(identity, "G22", new(GIVE), new(INDICATORS, CATALOGUE))
    for operations, per_second, status in (
        ([INDICATORS], 100, 201),
        ([INDICATORS], 101, 403),
        ([CATALOGUE], 100, 201),
        ([INDICATORS, CATALOGUE], 1_000_000, 403),
    ):
        answer = await identity.call(GIVE, by=giver, json=new(*operations, per_second=per_second))
        assert answer.status_code == status, answer.text
    assert (await identity.call(GIVE, json=new(INDICATORS, per_second=1_000))).status_code == 201
