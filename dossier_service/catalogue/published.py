"""Reading procedures as the national portal publishes them: one JSON object a line."""

import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import count
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dossier_service.catalogue.procedure import RESULT_CODE, Level, Procedure
from dossier_service.catalogue.wording import (
    Fault,
    Price,
    Reading,
    fees_of,
    mended_subjects,
    papers_of,
    read_way,
)
from shared.events.codes import Channel

# The catalogue of 2026 has 2,642 lines, the longest of 18 KB, together 11 MB.
MAX_LINE_BYTES: Final = 128 * 1024
MAX_LINES: Final = 50_000
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_FEW = Field(max_length=1_000, fail_fast=True)

_CHANNELS = {channel.label: channel for channel in Channel}
_LEVELS = {
    "Cấp bộ": Level.MINISTRY,
    "Cấp tỉnh": Level.PROVINCE,
    "Cấp xã": Level.COMMUNE,
    "Cơ quan khác": Level.OTHER,
}


@dataclass(frozen=True, slots=True)
class Readable:
    """A procedure that could be read, with what of it could not be taken over as it stands."""

    line: int
    procedure: Procedure
    faults: frozenset[Fault]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that gives no procedure; `code` is None where not even that could be read."""

    line: int
    code: str | None
    reasons: tuple[str, ...]


class _Way(BaseModel):
    channel: str
    text: str


class _Line(BaseModel):
    """The fields of a published procedure that the catalogue takes over; others are left."""

    model_config = ConfigDict(str_strip_whitespace=True)

    code: str
    name: str
    owner: str | None
    level: str
    sector: str
    decision: str
    subjects: Annotated[list[str], _FEW]
    competent: str
    channels: Annotated[list[_Way], _FEW]
    documents_text: str
    result_codes: Annotated[list[str], _FEW]
    result_text: str


class PublishedFileTooLargeError(ValueError):
    """The file cannot be the catalogue; nothing of it was imported."""


def read_published_file(path: Path) -> Iterator[Readable | Unreadable]:
    """Yield the entries of a .jsonl or .jsonl.gz file in UTF-8.

    Raise PublishedFileTooLargeError before more than a line is unpacked beyond the bounds.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from read_published(_bounded_lines(file))


def _bounded_lines(file: BufferedIOBase) -> Iterator[bytes]:
    size = 0
    for number in count(1):
        line = file.readline(MAX_LINE_BYTES + 1)
        if not line:
            return
        size += len(line)
        if len(line) > MAX_LINE_BYTES:
            raise PublishedFileTooLargeError(f"line {number} has more than {MAX_LINE_BYTES} bytes")
        if number > MAX_LINES or size > MAX_UNPACKED_BYTES:
            raise PublishedFileTooLargeError(
                f"unpacked it has more than {MAX_LINES} lines or {MAX_UNPACKED_BYTES} bytes"
            )
        yield line


def read_published(lines: Iterable[bytes]) -> Iterator[Readable | Unreadable]:
    """One entry for every line, in order; the second of two lines with the same code is refused."""
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        entry = _read_line(number, line)
        if isinstance(entry, Readable):
            first = line_of.setdefault(entry.procedure.code, number)
            if first != number:
                reason = f"the same code as in line {first}"
                entry = Unreadable(number, entry.procedure.code, (reason,))
        yield entry


def _read_line(number: int, raw: bytes) -> Readable | Unreadable:
    code = None
    try:
        line = _Line.model_validate_json(unicodedata.normalize("NFC", raw.decode()))
        code = line.code
        procedure, faults = _procedure(line)
    except UnicodeDecodeError:
        return Unreadable(number, None, ("line: it is not UTF-8",))
    except ValidationError as error:
        return Unreadable(number, code, _reasons(error))
    # PostgreSQL keeps none: this line would stop the import of all others.
    if "\\u0000" in procedure.model_dump_json():
        return Unreadable(number, code, ("line: a text holds the character NUL",))
    return Readable(number, procedure, frozenset(faults))


def _reasons(error: ValidationError) -> tuple[str, ...]:
    # Without the input: a whole line of the file would stand in the report.
    return tuple(
        f"{'.'.join(str(step) for step in fault['loc']) or 'line'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    )


def _procedure(line: _Line) -> tuple[Procedure, list[Fault]]:
    readings = [(way, read_way(way.text)) for way in line.channels]
    prices = [
        Price(_CHANNELS[way.channel], reading.amount_vnd, reading.note)
        for way, reading in readings
        if way.channel in _CHANNELS
    ]
    fees, fee_faults = fees_of(prices)
    subjects = mended_subjects(line.subjects)
    papers = papers_of(line.documents_text)
    result_codes = [code for code in line.result_codes if re.match(RESULT_CODE, code)]
    procedure = Procedure.model_validate(
        {
            "code": line.code,
            "name": line.name,
            "owner": line.owner,
            "levels": [_LEVELS.get(level, level) for level in line.level.split(", ")],
            "sector": line.sector,
            "decision": line.decision or None,
            "subjects": subjects,
            "competent": line.competent,
            "channels": [_channel(way, reading) for way, reading in readings],
            "papers": papers,
            "result_codes": result_codes,
            "requires_result": bool(line.result_text),
            "fees": fees,
            "service_codes": [f"{line.code}.01"],
        }
    )
    faults = [fault for _, reading in readings for fault in reading.faults]
    return procedure, [*faults, *fee_faults, *_faults_beside(line, procedure)]


def _channel(way: _Way, reading: Reading) -> dict[str, object]:
    return {
        "channel": _CHANNELS.get(way.channel, way.channel),
        "duration": reading.duration,
        "unit": reading.unit,
        "text": way.text,
    }


def _faults_beside(line: _Line, procedure: Procedure) -> Iterator[Fault]:
    """What is wrong outside of the channels."""
    if line.owner is None:
        yield Fault.OWNER_WITHOUT_CODE
    if not line.channels:
        yield Fault.NO_CHANNELS
    if procedure.subjects != tuple(line.subjects):
        yield Fault.SUBJECTS_MENDED
    if not procedure.papers:
        yield Fault.PAPERS_UNREADABLE
    if len(procedure.result_codes) != len(line.result_codes):
        yield Fault.RESULT_CODE_MALFORMED
