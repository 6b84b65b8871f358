import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations, product
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from structlog.testing import capture_logs

from gateway.access.assertion import RightsSigner
from gateway.access.grants import (
    MAX_ALTERNATIVES,
    RIGHTS_CUT,
    ClientGrants,
    compute_largest_quotas,
    list_covering_rights,
    unite_rights,
)
from gateway.access.right_in_force import CachedGrant, EffectiveRight, GrantedQuotas
from shared.web.calls.rights import Right
from tests.support.gateway_harness import (
    LIST,
    VERIFY,
)

NOW = 1_000.0
GRANT = CachedGrant(
    "a", frozenset([VERIFY]), None, None, None, 0.0, math.inf, None, None, "Luật 26/2023"
)


def rights(*grants: CachedGrant, operation: str = VERIFY) -> tuple[EffectiveRight, ...]:
    return ClientGrants("H26", active=True, grants=grants).for_operation(operation, NOW)


def pick(held: Sequence[EffectiveRight], purpose: str | None) -> EffectiveRight | None:
    fitting = list_covering_rights(held, purpose)
    return unite_rights(fitting) if fitting else None


def quotas_for(held: Sequence[EffectiveRight], purpose: str | None) -> GrantedQuotas:
    return compute_largest_quotas(list_covering_rights(held, purpose), purpose)


def codes(*values: str) -> frozenset[str]:
    return frozenset(values)


def test_200_grants_on_different_procedures_are_one_right_with_200_codes() -> None:
    grants = [
        replace(GRANT, id=f"{n:03}", procedures=codes(f"1.{n:06}"), agencies=codes("H26"))
        for n in range(200)
    ]
    [right] = rights(*grants)
    assert right.procedures == codes(*(f"1.{n:06}" for n in range(200)))
    assert right.grants == tuple(f"{n:03}" for n in range(200))
    assert pick([right], "1.000117") is right
    assert pick([right], None) is right
    assert pick([right], "1.000200") is None


def test_limits_of_two_grants_never_mix() -> None:
    names = replace(GRANT, id="1", procedures=codes("1.1"), fields=codes("name"))
    sexes = replace(GRANT, id="2", procedures=codes("1.2"), fields=codes("sex"))
    hanoi = replace(GRANT, id="3", procedures=codes("1.3"), agencies=codes("H26"))
    every = rights(names, sexes, hanoi)
    found = {
        purpose: (right.procedures, right.fields, right.agencies)
        for purpose in ("1.1", "1.2", "1.3")
        if (right := pick(every, purpose))
    }
    assert found == {
        "1.1": (codes("1.1"), codes("name"), None),
        "1.2": (codes("1.2"), codes("sex"), None),
        "1.3": (codes("1.3"), None, codes("H26")),
    }


def asserted(right: EffectiveRight) -> Right:
    """Return the right as a service reads it."""
    signer = RightsSigner(Ed25519PrivateKey.generate())
    signed = signer.sign_right_assertion(
        right, client="h26", operation=VERIFY, audience="identity_service", now=NOW
    )
    return Right.model_validate(jwt.decode(signed, options={"verify_signature": False}))


def is_let_in(
    grants: Sequence[CachedGrant], purpose: str, agency: str, fields: Collection[str]
) -> bool:
    """Hold a call against the grants as the gateway and then the service behind do."""
    right = pick(rights(*grants), purpose)
    return right is not None and any(
        limits.covers(purpose, [agency]) and limits.covers_fields(fields)
        for limits in asserted(right).alternatives
    )


def limits_of(kinds: Sequence[str]) -> SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(kinds), max_size=2)


PURPOSES, FIELDS, AGENCIES = ("1.000001", "1.000002.H26"), ("name", "sex"), ("H14", "H40.1")
GRANTS = st.lists(
    st.builds(
        partial(replace, GRANT),
        id=st.uuids().map(str),
        procedures=limits_of(("1.000001", "1.000002")),
        fields=limits_of(FIELDS),
        agencies=limits_of(("H14", "H40")),
    ),
    max_size=6,
)


@given(GRANTS)
def test_call_is_let_in_where_one_grant_covers_it_and_nowhere_else(
    grants: list[CachedGrant],
) -> None:
    for purpose, agency in product(PURPOSES, AGENCIES):
        for fields in (FIELDS[:1], FIELDS[1:], FIELDS):
            by_one = any(is_let_in([grant], purpose, agency, fields) for grant in grants)
            assert is_let_in(grants, purpose, agency, fields) == by_one


@pytest.mark.parametrize("ids", list(permutations("abc")))
def test_ids_of_grants_do_not_decide(ids: Sequence[str]) -> None:
    cao_bang = replace(GRANT, id=ids[0], agencies=codes("H14"), fields=codes("name"))
    quang_tri = replace(GRANT, id=ids[1], agencies=codes("H40"), fields=codes("sex"))
    far_away = replace(GRANT, id=ids[2], agencies=codes("H56"), fields=codes("sex"))
    grants = [cao_bang, quang_tri, far_away]
    assert is_let_in(grants, "1.000001", "H14", ["name"])
    assert is_let_in(grants, "1.000001", "H40", ["sex"])
    assert is_let_in(grants, "1.000001", "H56", ["sex"])
    assert not is_let_in(grants, "1.000001", "H14", ["sex"])
    assert not is_let_in(grants, "1.000001", "H40", ["name"])


def test_grants_that_differ_in_their_agencies_alone_are_one_right() -> None:
    [right] = rights(
        *(replace(GRANT, id=f"{n:03}", agencies=codes(f"H{n}")) for n in range(10, 99))
    )
    assert right.agencies == codes(*(f"H{n}" for n in range(10, 99)))


def test_right_that_another_one_contains_is_not_asserted() -> None:
    wide = replace(GRANT, id="b", agencies=codes("H26"))
    narrow = replace(GRANT, id="a", procedures=codes("1.1"), fields=codes(), agencies=codes("H26"))
    chosen = pick(rights(wide, narrow), "1.1")
    assert chosen
    assert (chosen.fields, chosen.others) == (None, ())


def test_same_rights_are_signed_once_for_all_purposes() -> None:
    both = rights(
        replace(GRANT, id="1", agencies=codes("H26")), replace(GRANT, id="2", fields=codes("name"))
    )
    assert pick(both, "1.1") is pick(both, "1.2")


def test_combined_right_ends_with_its_first_grant() -> None:
    combined = pick(
        rights(
            replace(GRANT, id="1", agencies=codes("H26"), valid_to=NOW + 9),
            replace(GRANT, id="2", fields=codes("name"), valid_to=NOW + 5),
        ),
        "1.1",
    )
    assert combined
    assert combined.ends == NOW + 5
    assert combined.grants == ("1", "2")


def test_number_of_asserted_alternatives_is_bounded() -> None:
    grants = [
        replace(GRANT, id=f"{n:02}", agencies=codes(f"H{n}"), fields=codes(f"f{n}"))
        for n in range(10, 10 + 3 * MAX_ALTERNATIVES)
    ]
    chosen = pick(rights(*grants), "1.1")
    assert chosen
    assert len(asserted(chosen).alternatives) == MAX_ALTERNATIVES


def test_national_code_covers_its_localised_forms() -> None:
    [right] = rights(replace(GRANT, procedures=codes("1.001193", "1.002621.H56")))
    covered = ("1.001193", "1.001193.H26", "1.001193.000.00.00.H26", "1.002621.H56")
    unlike = ("1.0011930", "1.00119", "1.002621", "1.002621.H26", "1.002621.H560", "")
    other = (*unlike, "1.001193.x", "1.001193.Nguyễn Văn An", "1.001193.")
    assert [right.covers(purpose) for purpose in covered] == [True] * len(covered)
    assert [right.covers(purpose) for purpose in other] == [False] * len(other)


def test_call_without_a_purpose_takes_the_widest_right() -> None:
    some_rows = replace(GRANT, id="1", agencies=codes("H26"))
    some_fields = replace(GRANT, id="2", fields=codes("name"))
    procedures = replace(GRANT, id="3", procedures=codes("1.1"))
    widest = pick(rights(some_rows, some_fields, procedures), None)
    assert widest
    # 3 has all fields and all agencies, which comes before having all procedures.
    assert widest.procedures == codes("1.1")
    assert [other.grants for other in widest.others] == [("2",), ("1",)]


def test_no_agencies_at_all_is_not_the_same_as_all() -> None:
    none = replace(GRANT, id="1", agencies=codes(), fields=codes())
    everything = replace(GRANT, id="2")
    assert [right.agencies for right in rights(none, everything)] == [None, codes()]


def test_grant_for_all_procedures_joins_to_all() -> None:
    [right] = rights(replace(GRANT, procedures=codes("1.1")), replace(GRANT, id="b"))
    assert right.procedures is None


def test_joined_right_ends_with_its_first_grant() -> None:
    [right] = rights(
        replace(GRANT, id="1", valid_to=NOW + 5),
        replace(GRANT, id="2", valid_to=NOW + 9),
        replace(GRANT, id="3"),
    )
    assert right.ends == NOW + 5


@pytest.mark.parametrize("limits", [{}, {"agencies": codes("H26")}, {"fields": codes("name")}])
def test_further_grant_neither_lowers_nor_raises_the_quotas_of_another(
    limits: dict[str, Any],
) -> None:
    wide = replace(GRANT, id="wide", per_day=None)
    named = replace(GRANT, id="1", procedures=codes("1.1"), per_second=1, per_day=2, **limits)
    other = replace(GRANT, id="2", procedures=codes("1.2"), per_second=900, per_day=5, **limits)
    found = {
        purpose: [quotas_for(rights(*held), purpose) for held in permutations((wide, named, other))]
        for purpose in ("1.1", "1.2", "1.3")
    }
    assert found == {
        "1.1": [GrantedQuotas(1, None, by_default=True)] * 6,
        "1.2": [GrantedQuotas(900, None, by_default=True)] * 6,
        "1.3": [GrantedQuotas(None, None, by_default=True)] * 6,
    }
    alone = rights(named, other)
    assert quotas_for(alone, "1.1") == GrantedQuotas(1, 2, by_default=False)
    assert quotas_for(alone, "1.2") == GrantedQuotas(900, 5, by_default=False)
    assert quotas_for(alone, None) == GrantedQuotas(900, 5, by_default=False)


def test_grants_beyond_the_bound_of_a_right_are_left_out_and_logged() -> None:
    lists = [codes(*(f"{first}.{n:06}.H26" for n in range(5_000))) for first in range(1, 5)]
    long = [replace(GRANT, id=f"{n}", procedures=each) for n, each in enumerate(lists)]
    short = replace(GRANT, id="short", procedures=codes("5.000001"))
    before = RIGHTS_CUT._value.get()
    with capture_logs() as lines:
        [right] = rights(*long, short)
    assert right.procedures == lists[0] | codes("5.000001")
    assert right.grants == ("0", "short")
    assert RIGHTS_CUT._value.get() - before == 3
    assert [(line["event"], line["left_out"]) for line in lines] == [("right_cut", 3)]


def test_choice_holds_until_the_next_beginning_or_end() -> None:
    early = replace(GRANT, id="early", valid_to=NOW + 10)
    late = replace(GRANT, id="late", valid_from=NOW + 5, fields=codes("name"))
    client = ClientGrants("H26", active=True, grants=[early, late])
    found = {
        after: [right.grants for right in client.for_operation(VERIFY, NOW + after)]
        for after in (0, 4.9, 5, 9.9, 10)
    }
    assert found == {
        0: [("early",)],
        4.9: [("early",)],
        5: [("early",), ("late",)],
        9.9: [("early",), ("late",)],
        10: [("late",)],
    }


def test_operation_that_no_grant_names_gives_no_right() -> None:
    assert rights(GRANT, operation=LIST) == ()
    assert pick((), None) is None
