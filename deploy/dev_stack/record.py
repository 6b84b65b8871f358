"""Record the supervisor of the stack and its processes, for `stop` and for the next start."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.process import ProcessId

# Their supervisor's death was their signal already; PostgreSQL may be writing its memory down.
PATIENCE_S = {"postgres": 60.0}
USUAL_PATIENCE_S = 5.0


class AlreadyRunningError(RuntimeError):
    """Another process holds the stack of this folder."""


@dataclass(frozen=True)
class Record:
    """`ports` are those it was started with, which later commands must use too."""

    supervisor: ProcessId
    children: Mapping[str, ProcessId]
    ports: Mapping[str, int]

    def write(self, directory: Path) -> None:
        unfinished = directory / ".stack.json.new"
        unfinished.write_text(json.dumps(asdict(self), indent=2))
        unfinished.rename(directory / "stack.json")


def read_record(directory: Path) -> Record | None:
    try:
        found = json.loads((directory / "stack.json").read_text())
    except FileNotFoundError:
        return None
    return Record(
        supervisor=ProcessId(**found["supervisor"]),
        children={name: ProcessId(**child) for name, child in found["children"].items()},
        ports=found["ports"],
    )


def forget(directory: Path) -> None:
    (directory / "stack.json").unlink(missing_ok=True)


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """The kernel drops this lock with its holder, however that one ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"The stack of {directory} already runs.") from None
        yield


def is_held(directory: Path) -> bool:
    try:
        with held(directory):
            return False
    except AlreadyRunningError:
        return True


def end_left_overs(directory: Path) -> list[str]:
    """Stop the processes of a killed supervisor and return their names; the caller holds the lock.

    The last started goes first, so that PostgreSQL outlives its clients.
    """
    record = read_record(directory)
    if not record:
        return []
    ended = [
        name
        for name, child in reversed(list(record.children.items()))
        if child.end(PATIENCE_S.get(name, USUAL_PATIENCE_S))
    ]
    forget(directory)
    return ended
