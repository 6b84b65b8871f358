"""A budget is spent by misses, by their share and by numbers in sequence."""

import pytest

from identity_service.persons.guesses.budgets import Count, Holder, Scope, is_spent, read_budgets
from identity_service.settings import Settings
from tests.identity_service.calls import Identity, asked
from tests.identity_service.conftest import serving
from tests.identity_service.guessing import ALIVE, REAL, Clock, Desk, claim
from tests.support.factories import TestAuthority


async def test_numbers_in_sequence_end_the_search(guarded: Identity) -> None:
    desk = Desk(guarded)
    bodies = [asked("not_found", personal_number=f"0792000{each:05d}") for each in range(50, 60)]
    statuses = [(await desk.ask(body)).status_code for body in bodies]
    assert statuses == [200] * 6 + [429] * 4
    # Another officer of the client goes on, until the client has asked enough of them.
    assert (await desk.ask(bodies[-1], officer="officer-2")).status_code == 200


async def test_search_that_misses_most_of_the_time_ends(guarded: Identity, clock: Clock) -> None:
    desk = Desk(guarded)
    bodies = [
        asked("not_found", personal_number=f"07920{each:02d}{each * 997:05d}") for each in range(25)
    ]
    answers = [await desk.ask(body) for body in bodies]
    statuses = [each.status_code for each in answers]
    allowed = REAL["misses_of_officer"]
    assert statuses == [200] * allowed + [429] * (25 - allowed)
    assert (await desk.ask(claim(ALIVE[0]))).status_code == 429
    clock.pass_by(int(answers[-1].headers["Retry-After"]))
    assert (await desk.ask(claim(ALIVE[0]))).json()["result"] == "MATCH"


@pytest.mark.parametrize(
    ("scope", "calls", "misses", "sequential", "spent"),
    [
        (Scope.OFFICER_PERSON, 5, 5, 0, True),
        (Scope.OFFICER_PERSON, 4, 4, 0, False),
        (Scope.AGENCY_PERSON, 8, 8, 0, True),
        (Scope.OFFICER, 400, 20, 0, False),  # a desk that makes honest mistakes all day
        (Scope.OFFICER, 60, 20, 0, False),
        (Scope.OFFICER, 59, 20, 0, True),
        (Scope.OFFICER, 19, 19, 4, False),
        (Scope.OFFICER, 100, 5, 5, True),
        (Scope.OFFICER, 100_000, 99, 0, False),
        (Scope.OFFICER, 100_000, 100, 0, True),
        (Scope.CLIENT, 100_000, 999, 29, False),
        (Scope.CLIENT, 100_000, 1_000, 0, True),
        (Scope.AGENCY, 1_999, 400, 0, True),
        (Scope.AGENCY, 2_000, 400, 59, False),
        (Scope.AGENCY, 100_000, 2_000, 0, True),
        (Scope.AGENCY, 100_000, 60, 60, True),
        (Scope.CLIENT, 999, 200, 0, True),
        (Scope.CLIENT, 1_000, 200, 0, False),
        (Scope.CLIENT, 199, 199, 0, False),
    ],
)
def test_budget_is_spent_by_misses_and_their_share(
    *, bounded: Settings, scope: Scope, calls: int, misses: int, sequential: int, spent: bool
) -> None:
    count = Count(Holder(scope, "client"), calls, misses, sequential, 0, None)
    assert is_spent(count, read_budgets(bounded)[scope]) is spent


@pytest.mark.parametrize(
    ("scope", "clients"), [("client", ["one"]), ("agency", ["one", "two", "three"])]
)
async def test_matches_of_one_person_buy_no_misses(
    guarded: Identity, bounded: Settings, authority: TestAuthority, scope: str, clients: list[str]
) -> None:
    few = bounded.model_copy(update={"misses_of_client": 12, "misses_of_agency": 15})
    async with serving(few, authority) as identity:
        desk, misses = Desk(identity), 0
        for each in range(40):
            by = {"officer": f"officer-{each // 3}", "client": clients[each // 3 % len(clients)]}
            for _ in range(5):
                known = await desk.ask(claim(ALIVE[0]), **by)
            missed = await desk.ask(
                asked("not_found", personal_number=f"07920{each:02d}{each * 997:05d}"), **by
            )
            if 429 in {known.status_code, missed.status_code}:
                break
            misses += 1
        assert misses == {"client": few.misses_of_client, "agency": few.misses_of_agency}[scope]
