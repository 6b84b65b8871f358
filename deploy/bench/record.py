"""The history of runs, the record that later runs are held to, and the table of the record."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.bench.calibration import Calibration
from deploy.bench.figures import Figure, format_number
from deploy.bench.judging import Recorded
from shared.codes.time import utc_now

HERE = Path(__file__).parent
HISTORY, RECORDED = HERE / "history.jsonl", HERE / "recorded.json"
DOCUMENT = HERE.parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by `make bench RECORD=1` -->\n", "<!-- end of figures -->\n"

# Beside more work, caches are cold and CPU time doubles, which no calibration follows.
MAX_OTHER_WORK = 0.2


@dataclass(frozen=True)
class Measured:
    """The figures of one part; `failure` says why it broke off, and is empty where it did not.

    `other_work` is the share of the machine's CPU time that other processes took meanwhile.
    """

    part: str
    seconds: float
    figures: Sequence[Figure] = ()
    failure: str = ""
    calibration: Calibration | None = None
    other_work: float = 0.0

    @property
    def is_disturbed(self) -> bool:
        return self.other_work > MAX_OTHER_WORK


@dataclass(frozen=True)
class Run:
    parts: Sequence[Measured]
    sizes: Mapping[str, int] = field(default_factory=dict)
    at: datetime = field(default_factory=utc_now)
    commit: str = field(default_factory=lambda: commit_id())  # noqa: PLW0108 -- defined below

    def to_entry(self) -> dict[str, Any]:
        """Return one line of the history."""
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "commit": self.commit,
            "machine": describe_platform(),
            "sizes": dict(self.sizes),
            "seconds": {part.part: round(part.seconds, 1) for part in self.parts},
            "calibration": {
                part.part: {name: _round(us) for name, us in asdict(part.calibration).items()}
                for part in self.parts
                if part.calibration
            },
            "other_work": {part.part: _round(part.other_work) for part in self.parts},
            "failed": {part.part: part.failure for part in self.parts if part.failure},
            "figures": [
                {
                    "part": part.part,
                    "name": figure.name,
                    "unit": figure.unit,
                    "runs": [_round(run) for run in figure.runs],
                    "ratio": _round(figure.ratio),
                    "aim": figure.aim,
                }
                for part in self.parts
                for figure in part.figures
            ],
        }


def append_to_history(run: Run, history: Path = HISTORY) -> None:
    with history.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(run.to_entry(), ensure_ascii=False) + "\n")


def describe_platform() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def commit_id() -> str:
    """Return the commit, with a `+` where files differ from it; empty outside a repository."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()


def read_recorded(path: Path = RECORDED) -> Recorded:
    recorded: Recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return recorded


def update_recorded(parts: Sequence[Measured], before: Recorded) -> Recorded:
    """Return `before` with the measured parts in place of the parts of the same name.

    A part that broke off, or was measured beside much other work, replaces nothing.
    """
    renewed = {part.part for part in parts if not part.failure and not part.is_disturbed}
    kept = {name: known for name, known in before.items() if known["part"] not in renewed}
    return kept | {
        figure.name: {
            "part": part.part,
            "unit": figure.unit,
            "figure": _round(figure.median),
            "spread": figure.spread,
            "ratio": _round(figure.ratio),
            "loop_us": _round(figure.loop_us),
            "aim": figure.aim_text,
            "met": figure.is_met,
        }
        for part in parts
        if part.part in renewed
        for figure in part.figures
    }


def write_recorded(recorded: Recorded, path: Path = RECORDED, document: Path = DOCUMENT) -> None:
    text = json.dumps(recorded, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    filled = fill_document(document.read_text(encoding="utf-8"), recorded)
    document.write_text(filled, encoding="utf-8")


def fill_document(document: str, recorded: Recorded) -> str:
    """Return the document with the recorded figures between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no section between {BEGIN!r} and {END!r}")
    return before + BEGIN + "".join(_list_sections(recorded)) + END + after


def _list_sections(recorded: Recorded) -> Iterator[str]:
    yield "\n"
    for part in dict.fromkeys(known["part"] for known in recorded.values()):
        rows = {name: known for name, known in recorded.items() if known["part"] == part}
        yield f"### `make bench ONLY={part}`\n\n"
        if loop_us := next(iter(rows.values())).get("loop_us"):
            yield f"A turn of the Python loop took {format_number(loop_us)} µs.\n\n"
        yield "| what | figure | smallest … largest run | ratio | aim | met |\n"
        yield "|---|---:|---|---:|---|---|\n"
        yield from (_format_row(name, known) for name, known in rows.items())
        yield "\n"


def _format_row(name: str, known: Mapping[str, Any]) -> str:
    ratio = "" if known["ratio"] is None else format_number(known["ratio"])
    met = {None: "", True: "yes", False: "**no**"}[known["met"]]
    figure = f"{format_number(known['figure'])} {known['unit']}"
    return f"| {name} | {figure} | {known['spread']} | {ratio} | {known['aim']} | {met} |\n"


def _round(number: float | None) -> float | None:
    """Return four significant digits."""
    return None if number is None else float(f"{number:.4g}")
