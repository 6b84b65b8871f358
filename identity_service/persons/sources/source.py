from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from identity_service.persons.matching import Claim, Recorded
from identity_service.persons.result import Answer


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who is asked for, by whom and what for; `person` is the keyed hash of the number."""

    personal_number: str
    person: str
    claim: Claim
    agency: str
    purpose: str | None
    officer: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a source knows at `as_of`. At least one of `recorded` and `said` is given.

    `said` is the source's own word: all there is to answer where no record comes with it, and
    else for callers whose claim agrees with the record, which is there for that comparison alone
    where the word is LOCKED, AMBIGUOUS or NOT_YET_REPLICATED.
    """

    as_of: datetime
    recorded: Recorded | None = None
    said: Answer | None = None


class Source(Protocol):
    async def look_up(self, inquiry: Inquiry) -> Finding:
        """Says SOURCE_UNAVAILABLE where another system is away; raises where our own is."""
        ...
