from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from identity_service.persons.matching import Claim, Recorded
from identity_service.persons.result import VerificationResult


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Hold a look-up: the person, the claim, the caller and its purpose.

    `person` is the keyed hash of the number.
    """

    personal_number: str
    person: str
    claim: Claim
    agency: str
    purpose: str | None
    officer: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold the result of a look-up at `as_of`, with at least one of `recorded` and `reported`.

    `reported` is the result that the source itself states. Without a record it is the whole
    response; with one, it is for callers whose claim agrees with the record. Where it is LOCKED,
    AMBIGUOUS or NOT_YET_REPLICATED, the record serves that comparison alone.
    """

    as_of: datetime
    recorded: Recorded | None = None
    reported: VerificationResult | None = None


class Source(Protocol):
    async def look_up(self, inquiry: Inquiry) -> Finding:
        """Report SOURCE_UNAVAILABLE in an outage of another system; raise in one of our own."""
        ...
