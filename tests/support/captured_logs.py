"""What a whole run of the tests lets be heard: log lines and problem texts, kept to be searched."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

# Twelve digits that stand alone and begin as a personal number does (Decree 137/2015: 001 to 096).
PERSONAL_NUMBER = re.compile(r"(?<![\w.+-])0\d{11}(?![\w-])")
PROBLEM = "application/problem+json"


@dataclass
class Overheard:
    """`problems` counts them, so that a search of none is no proof."""

    logged: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    problems: int = 0

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
