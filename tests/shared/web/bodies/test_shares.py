"""A stock is never overdrawn, and each holder leaves a part of it to the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.bodies.shares import Shares, ShareTaken, StockTaken

STEPS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(1, 9), st.booleans()), max_size=80
)


@given(steps=STEPS, total=st.integers(1, 60))
def test_stock_is_never_overdrawn_and_its_rest_is_for_newcomers(
    steps: list[tuple[str, int, bool]], total: int
) -> None:
    shares, held = Shares(total), dict[str, list[int]]()
    for holder, amount, takes in steps:
        own = held.setdefault(holder, [])
        free = total - sum(map(sum, held.values()))
        if takes:
            try:
                shares.take(holder, amount)
            except StockTaken:
                assert amount > free
            except ShareTaken:
                assert own
            else:
                own.append(amount)
        elif own:
            shares.give_back(holder, own.pop())
        assert shares.taken == sum(map(sum, held.values())) <= total


@pytest.mark.parametrize(("holders", "each"), [(1, 86), (2, 64), (10, 22), (100, 2)])
def test_holders_that_take_all_they_get_leave_room(holders: int, each: int) -> None:
    shares = Shares(256)
    names = [str(number) for number in range(holders)]
    got = dict.fromkeys(names, 0)
    going_on = set(names)
    while going_on:
        for name in sorted(going_on):
            try:
                shares.take(name)
            except ShareTaken:
                going_on.discard(name)
            else:
                got[name] += 1
    assert max(got.values()) - min(got.values()) <= 1
    assert abs(max(got.values()) - each) <= 1
    shares.take("newcomer")
