from itertools import product

import pytest
from pydantic import ValidationError

from shared.codes.enums import Channel, DossierStatus
from shared.rules.statuses import (
    StatusTable,
    first_status,
    is_final,
    needs_reason,
    permitted_statuses,
    read_status_table,
)


def numbers(statuses: frozenset[DossierStatus]) -> set[int]:
    return {int(status) for status in statuses}


@pytest.mark.parametrize(
    ("current", "before", "following"),
    [
        (1, None, {2, 3, 5, 6, 7}),
        (2, 1, {4, 5, 6, 7, 8, 9}),
        (4, 2, {5, 6, 7, 8, 9}),
        # asked before reception: back, received, or refused when nothing comes
        (5, 1, {1, 2, 3, 7, 8}),
        # asked after reception: never refused any more
        (5, 2, {2, 4, 7, 8}),
        (5, 4, {2, 4, 7, 8}),
        # paid: back to where it was
        (6, 1, {1, 7, 8}),
        (6, 2, {2, 7, 8}),
        (6, 4, {4, 7, 8}),
        (7, 4, {10}),
        (8, 4, {4, 9, 10}),
        (9, 4, {4, 10}),
        (3, 1, set()),
        (10, 9, set()),
    ],
)
def test_permitted_statuses(current: int, before: int | None, following: set[int]) -> None:
    came_from = None if before is None else DossierStatus(before)
    assert numbers(permitted_statuses(DossierStatus(current), before=came_from)) == following


@pytest.mark.parametrize("before", [None, 1, 5, 6])
def test_stop_before_reception_leads_only_to_the_return_of_papers(before: int | None) -> None:
    came_from = None if before is None else DossierStatus(before)
    found = permitted_statuses(DossierStatus.STOPPED, before=came_from, is_received=False)
    assert numbers(found) == {10}


def test_unknown_way_permits_every_return() -> None:
    assert numbers(permitted_statuses(DossierStatus.PAYMENT_REQUIRED, before=None)) == {
        1,
        2,
        4,
        7,
        8,
    }


@pytest.mark.parametrize(
    ("current", "before"), list(product(DossierStatus, [None, *DossierStatus]))
)
def test_same_status_is_never_a_transition(
    current: DossierStatus, before: DossierStatus | None
) -> None:
    assert current not in permitted_statuses(current, before=before)


def test_every_status_can_be_reached() -> None:
    reached = {first_status(channel) for channel in Channel}
    for status in DossierStatus:
        reached |= permitted_statuses(status, before=None)
    assert reached == set(DossierStatus)


def test_online_dossier_begins_registered_and_the_others_received() -> None:
    assert first_status(Channel.ONLINE) is DossierStatus.REGISTERED
    assert first_status(Channel.DESK) is DossierStatus.RECEIVED
    assert first_status(Channel.POST) is DossierStatus.RECEIVED


def test_only_refused_and_returned_are_final() -> None:
    assert {int(status) for status in DossierStatus if is_final(status)} == {3, 10}


def test_recall_before_return_needs_a_reason() -> None:
    assert needs_reason(DossierStatus.PROCESSED, DossierStatus.PROCESSING)
    assert not needs_reason(DossierStatus.PROCESSED, DossierStatus.RETURNED)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"first": {1: 2, 2: 1}}, "without a first status"),
        ({"transitions": {1: {"to": [2]}}}, "without a row"),
        ({"official": True}, "Extra inputs"),
    ],
)
def test_incomplete_table_stops_the_start(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        StatusTable.model_validate(read_status_table().model_dump() | change)


@pytest.mark.parametrize(
    ("row", "onward", "says"),
    [
        (4, {"to": [4, 9]}, "repeated status is progress"),
        (4, {"to": [5], "with_reason": [9]}, "not permitted"),
        (6, {"to": [7], "after": {9: [9]}}, "never comes after"),
    ],
)
def test_row_that_cannot_be_walked_stops_the_start(
    row: int, onward: dict[str, object], says: str
) -> None:
    table = read_status_table().model_dump()
    table["transitions"][DossierStatus(row)] = onward
    with pytest.raises(ValidationError, match=says):
        StatusTable.model_validate(table)
