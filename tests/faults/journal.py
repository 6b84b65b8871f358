"""What was asked of the mesh while a fault happened, and what it answered."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

GOOD_SHARE = 0.99
# That many good seconds in a row are a recovery: one may be luck.
STEADY_S = 3


class Outcome(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request; `status` 0: no answer came. `ended` is of the monotonic clock."""

    kind: str
    request_id: str
    status: int
    good: bool
    ended: float
    seconds: float
    personal: bool
    retry_after: bool = False

    @property
    def began(self) -> float:
        return self.ended - self.seconds


@dataclass(slots=True)
class Dossier:
    """As the answers told it. `doubtful`: what was asked last may have happened or not."""

    code: str
    client: str
    decider: str
    version: int
    status: int
    fee: int
    reference: str | None = None
    has_result: bool = False
    doubtful: bool = False


@dataclass(slots=True)
class Pushed:
    """A dossier of another system: the version and status last acknowledged."""

    code: str
    version: int
    status: int
    doubtful: bool = False


@dataclass
class Journal:
    attempts: list[Attempt] = field(default_factory=list)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    # by Idempotency-Key, which is also the external code
    filed: dict[str, Dossier] = field(default_factory=dict)
    doubtful_filings: set[str] = field(default_factory=set)
    pushed: dict[str, Pushed] = field(default_factory=dict)
    # answers that no fault explains
    surprises: list[str] = field(default_factory=list)
    not_sent: int = 0

    @property
    def dossiers(self) -> Iterable[Dossier]:
        return self.filed.values()

    def within(self, begin: float, end: float) -> Iterator[Attempt]:
        return (each for each in self.attempts if begin <= each.ended < end)

    def begun_within(self, begin: float, end: float) -> Iterator[Attempt]:
        """Whenever they ended: what hangs until a fault is over is not forgotten."""
        return (each for each in self.attempts if begin <= each.began < end)

    def bad_answers(self) -> Counter[str]:
        """By what was asked and the status, 0 where no answer came."""
        return Counter(f"{each.kind} {each.status}" for each in self.attempts if not each.good)

    def recovered_at(self, since: float) -> float | None:
        """The first of some good seconds in a row; None while there is none."""
        answers, good = Counter[int](), Counter[int]()
        for attempt in self.within(since, float("inf")):
            second = int(attempt.ended - since)
            answers[second] += 1
            good[second] += attempt.good
        last = int(time.monotonic() - since)  # it is not over yet
        in_a_row = 0
        for second in range(last):
            enough = answers[second] and good[second] >= GOOD_SHARE * answers[second]
            in_a_row = in_a_row + 1 if enough else 0
            if in_a_row == STEADY_S:
                return since + second + 1 - STEADY_S
        return None
