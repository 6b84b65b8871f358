"""How often a caller may be wrong about people before it is slowed; pure rules.

An answer that says right or wrong about one person is a miss where the caller does not prove that
it knows the person. Misses are counted for an officer and a person, for an agency and a person,
and, about all people, for an officer and for a client.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from identity_service.settings import Settings

HOUR = timedelta(hours=1)
MAX_WAIT = timedelta(days=1)
# Numbers so near each other are asked by counting up or down, or by varying the last two digits.
SEQUENTIAL_STEP = 100


class Scope(StrEnum):
    OFFICER_PERSON = "officer-person"
    AGENCY_PERSON = "agency-person"
    OFFICER = "officer"
    CLIENT = "client"

    @property
    def about_one_person(self) -> bool:
        return self in (Scope.OFFICER_PERSON, Scope.AGENCY_PERSON)


class Holder(NamedTuple):
    """The one that has a budget: `caller` is a client, or an agency for AGENCY_PERSON.

    `officer` and `person` are empty where the scope has none.
    """

    scope: Scope
    caller: str
    officer: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """Spent by so many misses that are also more than a share of all calls, or by a sequence."""

    misses: int
    share: float
    sequential: int | None
    window: timedelta
    max_wait: timedelta


@dataclass(frozen=True, slots=True)
class Count:
    """The calls and misses of a holder within its window, the newest miss among them."""

    holder: Holder
    calls: int
    misses: int
    sequential: int
    blocks: int
    blocked_until: datetime | None


Budgets = Mapping[Scope, Budget]


def read_budgets(settings: Settings) -> Budgets:
    memory = timedelta(seconds=settings.guess_memory_seconds)
    return MappingProxyType(
        {
            Scope.OFFICER_PERSON: Budget(
                settings.guesses_of_officer, 0, None, memory, max_wait=MAX_WAIT
            ),
            Scope.AGENCY_PERSON: Budget(
                settings.guesses_of_agency, 0, None, memory, max_wait=MAX_WAIT
            ),
            Scope.OFFICER: Budget(settings.misses_of_officer, 1 / 3, 5, HOUR, max_wait=HOUR),
            Scope.CLIENT: Budget(settings.misses_of_client, 1 / 5, 30, HOUR, max_wait=HOUR),
        }
    )


def is_spent(count: Count, budget: Budget) -> bool:
    if budget.sequential is not None and count.sequential >= budget.sequential:
        return True
    return count.misses >= budget.misses and count.misses > budget.share * count.calls


def may_name_fields(count: Count, budget: Budget) -> bool:
    """Return whether the newest miss is still answered with the fields that differ."""
    if count.holder.scope.about_one_person:
        return count.misses <= budget.misses
    return not is_spent(count, budget)


def wait_after(count: Count, budget: Budget, first: timedelta) -> timedelta:
    """Return how long a spent holder waits: twice as long as the time before."""
    doublings = min(count.blocks, 20)  # 2**20 minutes are more than any `max_wait`
    return min(first * (1 << doublings), budget.max_wait)


def is_sequential(number: int, earlier: int) -> bool:
    return 0 < abs(number - earlier) <= SEQUENTIAL_STEP
