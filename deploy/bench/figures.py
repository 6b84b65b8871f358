"""A measured figure, and the table of them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Literal

# Of a unit that is not here, neither more nor less is better: it explains, and has no bound.
BETTER: Mapping[str, Literal["more", "less"]] = {
    "1/s": "more",
    "ratio": "more",
    "ms": "less",
    "µs": "less",
    "MiB": "less",
    "MiB/s": "more",
    "statements": "less",
}


@dataclass(frozen=True)
class Figure:
    """`runs` are the same thing measured several times; the median is the figure.

    `reference` are the runs of what it is compared with, each taken beside its own.
    """

    name: str
    unit: str
    runs: Sequence[float]
    aim: float | None = None
    reference: Sequence[float] = ()

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError(f"{self.name} was not measured")

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def ratio(self) -> float | None:
        """To the reference: the median of the ratios of runs that were taken side by side."""
        pairs = list(zip(self.runs, self.reference, strict=False))
        if not pairs or not all(other for _, other in pairs):
            return None
        return statistics.median(own / other for own, other in pairs)

    @property
    def is_met(self) -> bool | None:
        """None where there is no aim."""
        if self.aim is None:
            return None
        return self.median >= self.aim if BETTER[self.unit] == "more" else self.median <= self.aim

    @property
    def shown_aim(self) -> str:
        if self.aim is None:
            return ""
        sign = "≥" if BETTER[self.unit] == "more" else "≤"
        return f"{sign} {shown(self.aim)}"

    @property
    def spread(self) -> str:
        return f"{shown(min(self.runs))} … {shown(max(self.runs))}" if len(self.runs) > 1 else ""


def shown(number: float) -> str:
    """Three digits that count, and no more than that."""
    if abs(number) >= 1000:  # noqa: PLR2004 -- from here on the thousands are parted
        return f"{float(f'{number:.3g}'):,.0f}"
    return f"{number:.3g}"


def table(figures: Sequence[Figure]) -> str:
    rows = [("what", "figure", "unit", "spread", "ratio", "aim", "met")]
    rows += [
        (
            figure.name,
            shown(figure.median),
            figure.unit,
            figure.spread,
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.shown_aim,
            {None: "", True: "yes", False: "NO"}[figure.is_met],
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "{:%d}  {:>%d}  {:%d}  {:%d}  {:>%d}  {:%d}  {}" % tuple(widths[:-1])  # noqa: UP031 -- braces within
    return "\n".join(line.rstrip() for line in starmap(form.format, rows))
