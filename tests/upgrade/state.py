"""A state: the databases of one version, filled, and the answers that it gave from them."""

import json
import lzma
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from deploy.postgres import EMPTY_TEMPLATE, plain_url, postgres_program
from deploy.run_sync import run_apart
from tests.conftest import Databases

STATES = Path(__file__).with_name("states")
ANSWERS = "answers.json"
ROWS_A_STATEMENT = 50
# The owner of a database is the role of the service that loads it.
_DUMP = ("--no-owner", "--no-privileges", "--no-comments", f"--rows-per-insert={ROWS_A_STATEMENT}")
# These lines are for psql, and one of them is another one in each dump.
_COMMANDS_OF_PSQL = re.compile(r"^\\(?:un)?restrict .*\n", re.MULTILINE)
_REVISION = re.compile(r"INSERT INTO public\.alembic_version VALUES\s+\('(\w+)'\)")
_TABLE = re.compile(r"^CREATE TABLE public\.(\w+) ", re.MULTILINE)
_FILLED = re.compile(r"^INSERT INTO public\.(\w+) ", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """The body that the gateway answered a request of an operator with."""

    operation: str
    path: str
    params: Mapping[str, Any]
    body: Any


@dataclass(frozen=True)
class State:
    """The files of one state; `folder` has a dump for each service, compressed, and the answers."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def read_dump(self, service: str) -> str:
        return lzma.decompress(self._find_dump(service).read_bytes()).decode()

    def write_dump(self, service: str, dump: str) -> None:
        self._find_dump(service).write_bytes(lzma.compress(dump.encode()))

    def _find_dump(self, service: str) -> Path:
        return self.folder / f"{service}.sql.xz"

    def read_revision(self, service: str) -> str:
        """Return the newest migration that the database had seen."""
        found = _REVISION.search(self.read_dump(service))
        assert found, f"{self.name}: the dump of {service} has no revision"
        return found[1]

    def list_empty_tables(self, service: str) -> set[str]:
        dump = self.read_dump(service)
        return {*_TABLE.findall(dump)} - {*_FILLED.findall(dump)}

    def read_time(self) -> datetime:
        """Return the time at which the answers were given."""
        return datetime.fromisoformat(self._read_answers()["at"])

    def read_answers(self) -> list[Answer]:
        return [Answer(**answer) for answer in self._read_answers()["answers"]]

    def _read_answers(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / ANSWERS).read_text(encoding="utf-8"))
        return found

    def write_answers(self, at: datetime, answers: Sequence[Answer]) -> None:
        content = {"at": at.isoformat(), "answers": [vars(answer) for answer in answers]}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (self.folder / ANSWERS).write_text(text, encoding="utf-8")


def list_states() -> list[State]:
    return [State(folder) for folder in sorted(STATES.iterdir()) if folder.is_dir()]


def dump_database(url: str, *options: str) -> str:
    """Return statements that make the database, without the commands of psql."""
    command = [str(postgres_program("pg_dump")), f"--dbname={plain_url(url)}", *_DUMP, *options]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True)
    return _COMMANDS_OF_PSQL.sub("", dumped.stdout)


@dataclass
class RecordedDatabases(Databases):
    """Databases that remember where each service has its own."""

    urls: dict[str, str] = field(default_factory=dict)

    def database_url(self, service: str, template: str = EMPTY_TEMPLATE) -> str:
        self.urls[service] = super().database_url(service, template)
        return self.urls[service]


@dataclass
class LoadedDatabases(RecordedDatabases):
    """Databases as `state` has them: each is loaded when it is asked for."""

    state: State = field(kw_only=True)

    def copied_url(self, service: str, name: str, fill: Callable[[str], None]) -> str:  # noqa: ARG002
        """Return a database of the state that `fill` has upgraded."""
        url = self.loaded_url(service)
        fill(url)
        return url

    def loaded_url(self, service: str) -> str:
        url = self.database_url(service)
        load_database(url, self.state.read_dump(service))
        return url


def load_database(url: str, dump: str) -> None:
    """Make the database of a dump in an empty one, as its owner."""

    async def load() -> None:
        connection = await asyncpg.connect(plain_url(url))
        try:
            await connection.execute(dump)
        finally:
            await connection.close()

    run_apart(load())
