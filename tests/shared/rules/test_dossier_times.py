"""Instants of a dossier that lie ahead or contradict each other are found, whichever they are."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.dossier_times import CLOCK_SLACK, HAPPENED, list_time_faults

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
# The facts of one dossier, each in its only possible order.
CHAINS = (
    ("filed_at", "received_at", "finished_at", "returned_at"),
    ("filed_at", "refused_at"),
    ("received_at", "due_at"),
    ("asked_at", "supplemented_at"),
)


@given(
    chain=st.sampled_from(CHAINS),
    minutes=st.lists(st.none() | st.integers(-5, 5), min_size=4, max_size=4),
)
def test_faults_are_found_exactly_where_two_facts_are_out_of_order(
    chain: tuple[str, ...], minutes: list[int | None]
) -> None:
    facts = {
        name: None if count is None else NOW + timedelta(minutes=count)
        for name, count in zip(chain, minutes, strict=False)
    }
    known = [instant for instant in facts.values() if instant is not None]
    in_order = all(first <= second for first, second in pairwise(known))
    faults = list(list_time_faults(facts, NOW))
    assert bool(faults) is not in_order
    for fault in faults:
        assert sum(name in fault.detail for name in facts) == 2


@pytest.mark.parametrize("name", HAPPENED)
def test_what_has_happened_does_not_lie_ahead(name: str) -> None:
    assert not list(list_time_faults({name: NOW + CLOCK_SLACK}, NOW))
    moment = NOW + CLOCK_SLACK + timedelta(microseconds=1)
    (fault,) = list_time_faults({name: moment}, NOW)
    assert fault.rule == f"{name.removesuffix('_at')}_ahead"
    assert name in fault.detail


def test_due_date_may_lie_ahead() -> None:
    assert not list(list_time_faults({"due_at": NOW + timedelta(days=3650)}, NOW))
