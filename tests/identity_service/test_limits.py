"""What a giver's own grants cover costs the lengths of the lists added up, never multiplied."""

import math
from collections.abc import Collection
from datetime import UTC, datetime
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from identity_service.models import Grant
from identity_service.schemas import GrantIn
from identity_service.use_cases.limits import select_covering
from tests.identity_service.calls import Identity
from tests.identity_service.test_granting import GIVE, INDICATORS, new, register

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 2_500
AGENCIES = ["H26", "H26.1", "H26.1.2", "H29", "000.00.04.G18"]
PROCEDURES = ["1.001193", "1.001193.H26", "1.001193.H29", "2.000815", "2.000815.H29"]
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
    assert select_covering([held], body, NOW) == ([held] if expected else [])


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
