"""Decide how many wrong claims about people a caller may make before it has to wait.

A judged claim is a miss where it does not prove that the caller knows the person. Misses are
counted for an officer and a person, for an agency and a person, and, about all people, for an
officer, for a client and for an agency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

from identity_service.settings import Settings

HOUR = timedelta(hours=1)
# This multiple of the misses from which their share counts is too many at any share.
MAX_MISSES_FACTOR = 5
MAX_WAIT = timedelta(days=1)
# Numbers at most so far apart suggest counting, or trying out the last two digits.
SEQUENTIAL_STEP = 100


class Scope(StrEnum):
    OFFICER_PERSON = "officer-person"
    AGENCY_PERSON = "agency-person"
    OFFICER = "officer"
    CLIENT = "client"
    AGENCY = "agency"

    @property
    def about_one_person(self) -> bool:
        return self in (Scope.OFFICER_PERSON, Scope.AGENCY_PERSON)


class Holder(NamedTuple):
    """Identify the holder of a budget.

    `caller` is an agency in AGENCY and AGENCY_PERSON, else a client. `officer` and `person` are
    empty where the scope has none.
    """

    scope: Scope
    caller: str
    officer: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limit the misses of a holder within a window.

    A budget is spent by `misses` that also exceed a share of the calls, by `most` misses in any
    case, or by `sequential` misses at neighbouring numbers. None sets no limit.
    """

    misses: int
    share: float
    most: int | None
    sequential: int | None
    window: timedelta
    max_wait: timedelta

    @property
    def people_that_matter(self) -> int:
        """Return the number of known people from which the share allows up to `most` misses."""
        return ceil((self.most or self.misses) / self.share) if self.share else 0


@dataclass(frozen=True, slots=True)
class Count:
    """Count the calls and misses of a holder within its window, including the newest miss.

    `calls` are the misses and the people that the caller knew, each person once an hour, so that
    repeated matches of one person do not enlarge a budget.
    """

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
                settings.guesses_of_officer, 0, None, None, memory, max_wait=MAX_WAIT
            ),
            Scope.AGENCY_PERSON: Budget(
                settings.guesses_of_agency, 0, None, None, memory, max_wait=MAX_WAIT
            ),
            Scope.OFFICER: _build_budget_about_all(settings.misses_of_officer, 1 / 3, sequential=5),
            Scope.CLIENT: _build_budget_about_all(settings.misses_of_client, 1 / 5, sequential=30),
            Scope.AGENCY: _build_budget_about_all(settings.misses_of_agency, 1 / 5, sequential=60),
        }
    )


def _build_budget_about_all(misses: int, share: float, *, sequential: int) -> Budget:
    return Budget(misses, share, misses * MAX_MISSES_FACTOR, sequential, HOUR, max_wait=HOUR)


def is_spent(count: Count, budget: Budget) -> bool:
    if budget.sequential is not None and count.sequential >= budget.sequential:
        return True
    if budget.most is not None and count.misses >= budget.most:
        return True
    return count.misses >= budget.misses and count.misses > budget.share * count.calls


def may_name_fields(count: Count, budget: Budget) -> bool:
    """Return whether the newest miss is still answered with the fields that differ."""
    if count.holder.scope.about_one_person:
        return count.misses <= budget.misses
    return not is_spent(count, budget)


def compute_wait(count: Count, budget: Budget, first: timedelta) -> timedelta:
    """Return how long the holder of a spent budget waits: twice as long as the time before."""
    doublings = min(count.blocks, 20)  # 2**20 minutes are more than any `max_wait`
    return min(first * (1 << doublings), budget.max_wait)


def is_sequential(number: int, earlier: int) -> bool:
    return 0 < abs(number - earlier) <= SEQUENTIAL_STEP
