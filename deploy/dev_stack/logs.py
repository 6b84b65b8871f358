"""Keep the logs of the last runs, and find the lines of a trace in them.

`logs` is the folder of the newest run, `logs.1` that of the run before.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import rmtree

EARLIER_RUNS = 5
# Of each file of an earlier run the end is kept.
MAX_KEPT_BYTES = 16 * 2**20
# A line that does not begin so goes on with the one before, as those of a traceback do.
ENTRY = re.compile(r"\{|\d{4}-\d\d-\d\d")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
TRACE_ID = re.compile(r"""trace_id"?\s*[=:]\s*["']?([0-9a-f]{32})\b""")


def begin_logs(folder: Path) -> None:
    """Make an empty `folder` for the logs of a run, and number those before it anew."""
    if folder.exists():
        runs = [folder, *(name_earlier(folder, number) for number in range(1, EARLIER_RUNS + 1))]
        rmtree(runs[-1], ignore_errors=True)
        for older, newer in zip(reversed(runs), reversed(runs[:-1]), strict=False):
            if newer.exists():
                newer.rename(older)
        for file in runs[1].iterdir():
            _keep_end(file)
    folder.mkdir(mode=0o700)


def name_earlier(folder: Path, number: int) -> Path:
    return folder.with_name(f"{folder.name}.{number}")


def _keep_end(file: Path) -> None:
    excess = file.stat().st_size - MAX_KEPT_BYTES
    if excess > 0:
        with file.open("rb") as content:
            content.seek(excess)
            end = content.read()
        file.write_bytes(end[end.find(b"\n") + 1 :])


def find_entries(folder: Path, given: str) -> list[str]:
    """Return the entries of all kept logs that name the id, or a trace that one of them names.

    `given` is a trace id or a request id. Each entry stands after the name of its process; the
    oldest comes first.
    """
    entries = list(_read_entries(folder))
    named = _match_ids([given])
    direct = [entry for _, entry in entries if named.search(entry)]
    related = _match_ids([given, *(found for entry in direct for found in TRACE_ID.findall(entry))])
    found = [
        (_read_instant(entry), f"{process:<16} {_escape_controls(entry)}")
        for process, entry in entries
        if related.search(entry)
    ]
    return [entry for _, entry in sorted(found, key=lambda each: each[0])]


def _match_ids(ids: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of a field, in JSON or as `name=value`, that holds one of these ids."""
    values = "|".join(map(re.escape, ids))
    return re.compile(
        rf"""\b(?:trace|request)_id"?\s*[=:]\s*+["']?+(?:{values})(?![\w.-])""", re.ASCII
    )


def _escape_controls(text: str) -> str:
    """Write each sign that a terminal would obey as an escape, but for ends of lines and tabs."""
    shown = (
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode()
        for sign in text
    )
    return "".join(shown)


def _read_entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the process and the text of each entry."""
    for file in sorted(folder.parent.glob(f"{folder.name}*/*.log")):
        lines: list[str] = []
        # A line ends at a line feed alone: other signs within it may come from outside.
        for line in file.read_bytes().decode(errors="replace").removesuffix("\n").split("\n"):
            if lines and ENTRY.match(line):
                yield file.stem, "\n".join(lines)
                lines = []
            lines.append(line)
        if lines:
            yield file.stem, "\n".join(lines)


def _read_instant(entry: str) -> str:
    found = INSTANT.search(entry)
    return found[0] if found else ""
