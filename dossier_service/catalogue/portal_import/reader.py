"""Reading procedures as the national portal publishes them: one JSON object a line."""

import gzip
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import count
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.portal_import.papers import ReadPapers, read_papers
from dossier_service.catalogue.portal_import.text_parser import (
    Price,
    Reading,
    make_fees,
    mend_cut_subjects,
    read_channel_text,
    read_results,
)
from dossier_service.catalogue.procedure import RESULT_CODE, Procedure, ProcedureLevel, Result
from shared.codes.enums import Channel
from shared.rules.deadlines import Unit

# The catalogue of 2026 has 2,642 lines, the longest of 18 KB, together 11 MB.
MAX_LINE_BYTES: Final = 128 * 1024
MAX_LINES: Final = 50_000
MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_FEW = Field(max_length=1_000, fail_fast=True)

_CHANNELS = {channel.label: channel for channel in Channel}
_LEVELS = {
    "Cấp bộ": ProcedureLevel.MINISTRY,
    "Cấp tỉnh": ProcedureLevel.PROVINCE,
    "Cấp xã": ProcedureLevel.COMMUNE,
    "Cơ quan khác": ProcedureLevel.OTHER,
}


# Lengths at which the published file cuts its texts: a text of this length may lack its end.
MAX_PAPERS_LENGTH, MAX_CHANNEL_LENGTH = 3_000, 600
MAX_RESULTS_LENGTH, MAX_CONDITIONS_LENGTH = 600, 1_000

# Kept to the last space: its length shows whether it was cut.
_WholeText = Annotated[str, StringConstraints(strip_whitespace=False)]


@dataclass(frozen=True, slots=True)
class Readable:
    """A procedure that could be read, with the faults of the parts that could not be taken over."""

    line: int
    procedure: Procedure
    faults: frozenset[TextFault]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that gives no procedure; `code` is None where not even that could be read."""

    line: int
    code: str | None
    reasons: tuple[str, ...]


class _Way(BaseModel):
    channel: str
    text: _WholeText


class _Line(BaseModel):
    """The fields of a published procedure that the catalogue takes over.

    `owner_folder` and `channels_text` repeat `owner` and `channels`.
    """

    model_config = ConfigDict(str_strip_whitespace=True)

    code: str
    name: str
    owner: str | None
    level: str
    sector: str
    decision: str
    subjects: Annotated[list[str], _FEW]
    kind: str = ""
    competent: str
    cooperating: str = ""
    channels: Annotated[list[_Way], _FEW]
    documents_text: _WholeText
    result_codes: Annotated[list[str], _FEW]
    result_text: _WholeText
    conditions_text: _WholeText = ""
    source: str = ""


class PublishedFileTooLargeError(ValueError):
    """The file cannot be the catalogue; nothing of it was imported."""


def read_published_file(path: Path) -> Iterator[Readable | Unreadable]:
    """Yield the entries of a .jsonl or .jsonl.gz file in UTF-8; raise as `read_lines`."""
    yield from read_published(read_lines(path))


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a plain or gzipped file.

    Raise PublishedFileTooLargeError before more than a line is unpacked beyond the bounds.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from _read_bounded_lines(file)


def _read_bounded_lines(file: BufferedIOBase) -> Iterator[bytes]:
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
        procedure, faults = _make_procedure(line)
    except UnicodeDecodeError:
        return Unreadable(number, None, ("line: it is not UTF-8",))
    except ValidationError as error:
        return Unreadable(number, code, _list_reasons(error))
    # PostgreSQL keeps none: this line would stop the import of all others.
    if "\\u0000" in procedure.model_dump_json():
        return Unreadable(number, code, ("line: a text holds the character NUL",))
    return Readable(number, procedure, frozenset(faults))


def _list_reasons(error: ValidationError) -> tuple[str, ...]:
    # Without the input: a whole line of the file would stand in the report.
    return tuple(
        f"{'.'.join(str(step) for step in fault['loc']) or 'line'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    )


def _make_procedure(line: _Line) -> tuple[Procedure, frozenset[TextFault]]:
    readings = [read_channel_text(way.text.strip()) for way in line.channels]
    prices = [
        Price(_CHANNELS[way.channel], reading.amount_vnd, reading.note)
        for way, reading in zip(line.channels, readings, strict=True)
        if way.channel in _CHANNELS
    ]
    fees, fee_faults = make_fees(prices)
    channels, differs = _make_channels(line.channels, readings)
    papers = read_papers(line.documents_text, is_cut=len(line.documents_text) == MAX_PAPERS_LENGTH)
    results = read_results(line.result_text)
    faults = {fault for reading in readings for fault in reading.faults}
    faults |= {*fee_faults, *papers.faults, *_list_faults(line, papers, results)}
    faults |= {TextFault.DURATION_DIFFERS_BY_CASE} if differs else set()
    procedure = Procedure.model_validate(
        {
            "code": line.code,
            "name": line.name,
            "owner": line.owner,
            "levels": [_LEVELS.get(level, level) for level in line.level.split(", ")],
            "sector": line.sector,
            "decision": line.decision or None,
            "subjects": mend_cut_subjects(line.subjects),
            "competent": line.competent,
            "cooperating": line.cooperating,
            "kind": line.kind,
            "channels": channels,
            "papers": papers.papers,
            "papers_text": "" if papers.papers else line.documents_text.strip(" -"),
            "result_codes": _keep_well_formed(line.result_codes),
            "results": results,
            "requires_result": bool(line.result_text.strip()),
            "conditions_text": line.conditions_text.strip(),
            "fees": fees,
            "service_codes": [f"{line.code}.01"],
            "source": line.source,
            "faults": sorted(faults),
        }
    )
    return procedure, frozenset(faults)


def _make_channels(
    ways: Sequence[_Way], readings: Sequence[Reading]
) -> tuple[list[dict[str, object]], bool]:
    """Return the entries of the channels, and whether terms of one channel differ by case.

    Each entry of a channel whose terms differ becomes a case, with its explanation as published.
    """
    terms: dict[str, set[tuple[int | None, Unit | None]]] = {}
    for way, reading in zip(ways, readings, strict=True):
        terms.setdefault(way.channel, set()).add((reading.duration, reading.unit))
    numbers: Counter[str] = Counter()
    entries: list[dict[str, object]] = []
    for way, reading in zip(ways, readings, strict=True):
        entry: dict[str, object] = {
            "channel": _CHANNELS.get(way.channel, way.channel),
            "duration": reading.duration,
            "unit": reading.unit,
            "text": way.text,
        }
        if len(terms[way.channel]) > 1:
            numbers[way.channel] += 1
            number = numbers[way.channel]
            entry |= {
                "case_code": f"TH{number:02d}",
                "case": reading.explanation or f"Trường hợp {number}",
            }
        entries.append(entry)
    return entries, bool(numbers)


def _keep_well_formed(codes: Iterable[str]) -> list[str]:
    return [code for code in codes if re.match(RESULT_CODE, code)]


def _list_faults(line: _Line, papers: ReadPapers, results: Sequence[Result]) -> Iterator[TextFault]:
    """Return the faults of a line as a whole, and of its texts beside channels and papers."""
    if line.owner is None:
        yield TextFault.OWNER_WITHOUT_CODE
    if not line.channels:
        yield TextFault.NO_CHANNELS
    if any(len(way.text) == MAX_CHANNEL_LENGTH for way in line.channels):
        yield TextFault.CHANNEL_TEXT_CUT
    if mend_cut_subjects(line.subjects) != tuple(line.subjects):
        yield TextFault.SUBJECTS_MENDED
    if not papers.papers:
        yield TextFault.PAPERS_UNREADABLE
    codes = [result.code for result in results if result.code]
    if len(_keep_well_formed([*line.result_codes, *codes])) != len([*line.result_codes, *codes]):
        yield TextFault.RESULT_CODE_MALFORMED
    if {*codes} != {*line.result_codes}:
        yield TextFault.RESULT_CODES_DIFFER
    if len(line.result_text) == MAX_RESULTS_LENGTH:
        yield TextFault.RESULTS_CUT
    if len(line.conditions_text) == MAX_CONDITIONS_LENGTH:
        yield TextFault.CONDITIONS_CUT
