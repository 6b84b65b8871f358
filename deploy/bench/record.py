"""What is kept of the figures: a history, the record that later runs are held to, and its table."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from deploy.bench.figures import BETTER, Figure, shown

HERE = Path(__file__).parent
HISTORY, RECORDED = HERE / "history.jsonl", HERE / "recorded.json"
DOCUMENT = HERE.parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: written by `make bench RECORD=1` -->\n", "<!-- end of figures -->\n"
TWICE = 2.0

Recorded = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Measured:
    """What one part gave; `failure` where it broke off."""

    part: str
    seconds: float
    figures: Sequence[Figure] = ()
    failure: str = ""


@dataclass(frozen=True)
class Run:
    parts: Sequence[Measured]
    sizes: Mapping[str, int] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    commit: str = field(default_factory=lambda: commit_id())  # noqa: PLW0108 -- defined below

    def entry(self) -> dict[str, Any]:
        """One line of the history."""
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "commit": self.commit,
            "machine": machine(),
            "sizes": dict(self.sizes),
            "seconds": {part.part: round(part.seconds, 1) for part in self.parts},
            "failed": {part.part: part.failure for part in self.parts if part.failure},
            "figures": [
                {
                    "part": part.part,
                    "name": figure.name,
                    "unit": figure.unit,
                    "runs": [_short(run) for run in figure.runs],
                    "ratio": _short(figure.ratio),
                    "aim": figure.aim,
                }
                for part in self.parts
                for figure in part.figures
            ],
        }


def remember(run: Run, history: Path = HISTORY) -> None:
    with history.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(run.entry(), ensure_ascii=False) + "\n")


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def commit_id() -> str:
    """With a `+` where files differ from it; empty outside of a repository."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def read_recorded(path: Path = RECORDED) -> Recorded:
    found: Recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def record(parts: Sequence[Measured], before: Recorded) -> Recorded:
    """`before` with the parts that were measured in place of theirs."""
    anew = {part.part for part in parts if not part.failure}
    kept = {name: each for name, each in before.items() if each["part"] not in anew}
    return kept | {
        figure.name: {
            "part": part.part,
            "unit": figure.unit,
            "figure": _short(figure.median),
            "spread": figure.spread,
            "ratio": _short(figure.ratio),
            "aim": figure.shown_aim,
            "met": figure.is_met,
        }
        for part in parts
        if part.part in anew
        for figure in part.figures
    }


def missing(parts: Sequence[Measured], recorded: Recorded) -> Sequence[str]:
    """Figures on record that parts did not give which came to their end."""
    ended = {part.part for part in parts if not part.failure}
    given = {figure.name for part in parts for figure in part.figures}
    return [name for name, each in recorded.items() if each["part"] in ended and name not in given]


def write_recorded(recorded: Recorded, path: Path = RECORDED, document: Path = DOCUMENT) -> None:
    text = json.dumps(recorded, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    told = with_table(document.read_text(encoding="utf-8"), recorded)
    document.write_text(told, encoding="utf-8")


Verdict = Literal["within", "past", "new"]


def verdict(figure: Figure, recorded: Recorded) -> Verdict:
    """`past` where it is twice as bad as the record; what has no direction has no bound."""
    if figure.unit not in BETTER:
        return "within"
    if (known := recorded.get(figure.name)) is None:
        return "new"
    before = float(known["figure"])
    if BETTER[figure.unit] == "more":
        return "past" if figure.median * TWICE < before else "within"
    # Of a difference that was below nothing, nothing is twice as bad.
    return "past" if 0 < before * TWICE < figure.median else "within"


def with_table(document: str, recorded: Recorded) -> str:
    """The document with the recorded figures between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no section between {BEGIN!r} and {END!r}")
    return before + BEGIN + "".join(_sections(recorded)) + END + after


def _sections(recorded: Recorded) -> Iterable[str]:
    yield "\n"
    for part in dict.fromkeys(each["part"] for each in recorded.values()):
        yield f"### `make bench ONLY={part}`\n\n"
        yield "| what | figure | smallest … largest run | ratio | aim | met |\n"
        yield "|---|---:|---|---:|---|---|\n"
        for name, each in recorded.items():
            if each["part"] == part:
                yield _row(name, each)
        yield "\n"


def _row(name: str, each: Mapping[str, Any]) -> str:
    ratio = "" if each["ratio"] is None else shown(each["ratio"])
    met = {None: "", True: "yes", False: "**no**"}[each["met"]]
    figure = f"{shown(each['figure'])} {each['unit']}"
    return f"| {name} | {figure} | {each['spread']} | {ratio} | {each['aim']} | {met} |\n"


def _short(number: float | None) -> float | None:
    """Four digits that count."""
    return None if number is None else float(f"{number:.4g}")
