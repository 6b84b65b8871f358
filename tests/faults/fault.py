"""What a fault is, where it strikes, and what one came to."""

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from deploy.kafka.server import KafkaServer
from deploy.postgres import EmbeddedPostgres
from tests.faults.journal import Journal
from tests.faults.load import Load
from tests.support.mesh import Mesh


class Kind(Enum):
    """How the mesh is set up that is struck."""

    LOCAL = "as `make run` has it"
    CLOCKED = "the same, each process under a clock of its own"
    APART = "PostgreSQL over TCP and Apache Kafka, each on a disk of its own"


@dataclass
class Site:
    """The mesh and its load; `database` and `axis` only where they stand apart."""

    mesh: Mesh
    load: Load
    chance: random.Random
    volumes: Path
    database: EmbeddedPostgres | None = None
    axis: KafkaServer | None = None
    # what a strike has to tell beside the figures
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """A fault as the load saw it; instants are of the monotonic clock."""

    journal: Journal
    load_began: float
    began: float
    ended: float


def nothing(_: Seen) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Fault:
    """`strike` returns when the fault is over; `expect` complains of what the load saw.

    `lacks` says what this machine would need for it, or nothing. Where it sets the clock of who
    tells when something happened, nobody can say how late that was seen.
    """

    name: str
    about: str
    strike: Callable[[Site], Awaitable[None]]
    on: Kind = Kind.LOCAL
    expect: Callable[[Seen], Iterable[str]] = nothing
    lacks: Callable[[], str] = str
    sets_clock: bool = False


@dataclass
class Suffered:
    """One line of the table; seconds are of this run. `recovered` is None where it never was."""

    fault: Fault
    lasted: float = 0.0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    bad_answers: Mapping[str, int] = field(default_factory=dict)
    recovered: float | None = None
    late: float | None = None
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def held(self) -> bool:
        return not self.skipped and not self.wrong
