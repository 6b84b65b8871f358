"""What a whole run of the tests lets be heard: log lines and problem texts, kept to be searched."""

import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
from prometheus_client import generate_latest
from sqlalchemy import make_url

from deploy.postgres import plain_url
from tests.support.collector import Collector

# Twelve digits that stand alone and begin as a personal number does (Decree 137/2015: 001 to 096).
PERSONAL_NUMBER = re.compile(r"(?<![\w.+-])0\d{11}(?![\w-])")
PROBLEM = "application/problem+json"
FINDINGS = "findings.json"
# The tables that leave a service, or are shown to its operators; bodies of people are its own.
LEAVING = ("outbox", "outbox_sent", "dead_letter", "handled_event", "access_record", "ledger_seal")
# The infrastructure is tried with events of the tests' own, in databases that have this table.
OF_TESTS_ALONE = "effect"


@dataclass
class Overheard:
    """The lines of one process that hold a personal number, by the place in which they were found.

    `problems` and `rows` count the searched ones, so that a search of none is no proof.
    """

    logged: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    traced: list[str] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    problems: int = 0
    rows: int = 0

    def write(self, folder: Path) -> None:
        """Leave the findings for the process that looks at those of all workers."""
        (folder / FINDINGS).write_bytes(orjson.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Overheard":
        return cls(**orjson.loads((folder / FINDINGS).read_bytes()))

    def note_metrics(self) -> None:
        lines = generate_latest().decode().splitlines()
        self.measured += [line for line in lines if PERSONAL_NUMBER.search(line)]

    def note_traces(self, collector: Collector) -> None:
        lines = (line for text in collector.texts() for line in text.splitlines())
        self.traced += [line for line in lines if PERSONAL_NUMBER.search(line)]

    async def note_rows(self, admin_url: str) -> None:
        """Search, in all databases of a server, the tables that leave a service."""
        for url in await _list_databases(admin_url):
            async for row in _list_leaving_rows(url):
                self.rows += 1
                if PERSONAL_NUMBER.search(row):
                    self.stored.append(row)

    def note_record(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        line = f"{record.name}: {record.msg} {record.args} {error!r}"
        if PERSONAL_NUMBER.search(line):
            self.logged.append(line)

    def note_answer(self, answer: httpx.Response, text: str) -> None:
        headers = " ".join(f"{name}: {value}" for name, value in answer.headers.items())
        if PROBLEM in answer.headers.get("content-type", ""):
            self.problems += 1
            headers += f" {text}"
        if PERSONAL_NUMBER.search(headers):
            self.told.append(f"{answer.request.method} {answer.status_code}: {headers}")


@contextmanager
def overhearing() -> Iterator[Overheard]:
    heard, make, send = Overheard(), logging.getLogRecordFactory(), httpx.AsyncClient.send

    def make_and_note(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        heard.note_record(record)
        return record

    async def send_and_note(
        self: httpx.AsyncClient, request: httpx.Request, **how: Any
    ) -> httpx.Response:
        answer = await send(self, request, **how)
        heard.note_answer(answer, "" if how.get("stream") else answer.text)
        return answer

    logging.setLogRecordFactory(make_and_note)
    httpx.AsyncClient.send = send_and_note  # type: ignore[method-assign]
    try:
        yield heard
    finally:
        logging.setLogRecordFactory(make)
        httpx.AsyncClient.send = send  # type: ignore[method-assign]


async def _list_databases(admin_url: str) -> list[str]:
    connection = await asyncpg.connect(plain_url(admin_url))
    try:
        names = await connection.fetch("SELECT datname FROM pg_database WHERE NOT datistemplate")
    finally:
        await connection.close()
    return [plain_url(str(make_url(admin_url).set(database=name))) for (name,) in names]


async def _list_leaving_rows(url: str) -> AsyncIterator[str]:
    """Yield each row of the tables that leave, as text."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE tablename = ANY($1)"
            " AND NOT EXISTS (SELECT FROM pg_tables WHERE tablename = $2)",
            LEAVING,
            OF_TESTS_ALONE,
        )
        for (table,) in tables:
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):
                yield f"{table}: " + " ".join(_as_text(value) for value in row.values())
    finally:
        await connection.close()


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
