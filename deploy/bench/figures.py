"""A measured figure, and the table of figures."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Literal

# A unit that is missing here has no better direction: its figures only explain.
BETTER: Mapping[str, Literal["more", "less"]] = {
    "1/s": "more",
    "ratio": "more",
    "ms": "less",
    "µs": "less",
    "MiB": "less",
    "MiB/s": "more",
    "bytes": "less",
    "statements": "less",
}
MICROSECONDS: Mapping[str, float] = {"µs": 1.0, "ms": 1e3}
SPEEDS = ("1/s", "MiB/s")
SECOND_US = 1e6
THOUSAND = 1000


@dataclass(frozen=True)
class Figure:
    """`runs` repeat one measurement, and their median is the figure.

    `reference` holds the runs of the thing that it is compared with, each taken beside its own.
    `loop_us` is the CPU time of a turn of the Python loop in the same part, 0.0 where none was
    taken.
    """

    name: str
    unit: str
    runs: Sequence[float]
    aim: float | None = None
    reference: Sequence[float] = ()
    loop_us: float = 0.0

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError(f"{self.name} was not measured")

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def ratio(self) -> float | None:
        """Return the median of the ratios of runs that were taken side by side."""
        pairs = list(zip(self.runs, self.reference, strict=False))
        if not pairs or not all(other for _, other in pairs):
            return None
        return statistics.median(own / other for own, other in pairs)

    @property
    def in_loops(self) -> float | None:
        """Return a time in turns of the Python loop, a speed for the time of one turn."""
        if not self.loop_us:
            return None
        if self.unit in MICROSECONDS:
            return self.median * MICROSECONDS[self.unit] / self.loop_us
        return self.median * self.loop_us / SECOND_US if self.unit in SPEEDS else None

    @property
    def is_met(self) -> bool | None:
        """Return None where there is no aim."""
        if self.aim is None:
            return None
        return self.median >= self.aim if BETTER[self.unit] == "more" else self.median <= self.aim

    @property
    def aim_text(self) -> str:
        if self.aim is None:
            return ""
        sign = "≥" if BETTER[self.unit] == "more" else "≤"
        return f"{sign} {format_number(self.aim)}"

    @property
    def spread(self) -> str:
        if len(self.runs) == 1:
            return ""
        return f"{format_number(min(self.runs))} … {format_number(max(self.runs))}"


def format_number(number: float) -> str:
    """Return three significant digits, with a comma after the thousands."""
    if abs(number) >= THOUSAND:
        return f"{float(f'{number:.3g}'):,.0f}"
    return f"{number:.3g}"


def format_table(figures: Sequence[Figure]) -> str:
    rows = [("what", "figure", "unit", "spread", "in loops", "ratio", "aim", "met")]
    rows += [
        (
            figure.name,
            format_number(figure.median),
            figure.unit,
            figure.spread,
            "" if figure.in_loops is None else format_number(figure.in_loops),
            "" if figure.ratio is None else format_number(figure.ratio),
            figure.aim_text,
            {None: "", True: "yes", False: "NO"}[figure.is_met],
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "{:%d}  {:>%d}  {:%d}  {:%d}  {:>%d}  {:>%d}  {:%d}  {}" % tuple(widths[:-1])  # noqa: UP031 -- braces within
    return "\n".join(line.rstrip() for line in starmap(form.format, rows))
