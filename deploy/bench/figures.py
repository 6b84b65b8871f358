"""A measured figure, the table of them, and the history that they are added to."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

HISTORY = Path(__file__).parent / "history.jsonl"


@dataclass(frozen=True)
class Figure:
    """`runs` are the same thing measured several times; the median is the figure."""

    name: str
    unit: str
    runs: Sequence[float]
    aim: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def row(self) -> str:
        spread = f"{min(self.runs):,.4g} … {max(self.runs):,.4g}" if len(self.runs) > 1 else ""
        return f"{self.name:58} {self.median:>10,.4g} {self.unit:10} {spread:22} {self.aim}"


def print_table(figures: Sequence[Figure]) -> None:
    print(f"\n{'what':58} {'median':>10} {'unit':10} {'spread':22} aim")
    for figure in figures:
        print(figure.row())


def remember(figures: Sequence[Figure]) -> None:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [asdict(figure) for figure in figures],
    }
    with HISTORY.open("a") as history:
        history.write(json.dumps(entry, ensure_ascii=False) + "\n")
