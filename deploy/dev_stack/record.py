"""Record the supervisor of the stack and its processes, for `stop` and for the next start."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from deploy.process import ProcessId

# Their supervisor's death was their signal already; PostgreSQL may be writing its memory down.
PATIENCE_S = {"postgres": 60.0}
USUAL_PATIENCE_S = 5.0


class AlreadyRunningError(RuntimeError):
    """Another process holds the stack of this folder."""


class BrokenRecordError(RuntimeError):
    """The record cannot be read; the message says how to go on."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged, so the processes of the stack are not known: "
            "end it by Ctrl-C where it was started, if it still runs, and remove the file."
        )


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
    """Return None where nothing is on record; raise BrokenRecordError."""
    path = directory / "stack.json"
    try:
        return TypeAdapter(Record).validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise BrokenRecordError(path) from None


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
