"""Compare figures with the recorded ones, so that a slower machine passes and slower code fails.

Only ratios and counts are held. A ratio divides two measurements of the same run, so that the speed
of the machine cancels out; an absolute figure depends on the machine and only informs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deploy.bench.figures import BETTER, Figure, format_number

Recorded = Mapping[str, Mapping[str, Any]]
Verdict = Literal["within", "past", "better", "new", "not held"]

# The factor by which a figure may be worse than the recorded one. CPU time is held by its ratio to
# a reference of the same run, and the bound lies below the third that code must not add unseen.
BOUNDS: Mapping[str, float] = {
    "ratio": 1.25,
    "µs": 1.2,
    "statements": 1.15,
    "MiB": 1.25,
    "bytes": 1.15,
}
CPU_UNIT = "µs"
DISTURBED_UNITS = ("µs", "ratio")
# The speeds of two machines count as equal up to this factor.
EQUAL_SPEED = 1.1


@dataclass(frozen=True)
class Comparison:
    """`now` and `before` are the compared values; both are None where nothing is compared."""

    name: str
    verdict: Verdict
    now: float | None = None
    before: float | None = None

    def __str__(self) -> str:
        now, before = (
            "none" if value is None else format_number(value) for value in (self.now, self.before)
        )
        return f"{self.name}: {now}, recorded {before}"


def compare(figure: Figure, recorded: Recorded) -> Comparison:
    now = _held_value(figure.unit, figure.median, figure.ratio)
    if now is None:
        return Comparison(figure.name, "not held")
    known = recorded.get(figure.name)
    before = _held_value(known["unit"], known["figure"], known["ratio"]) if known else None
    if before is None:
        return Comparison(figure.name, "new", now)
    return Comparison(figure.name, _judge_values(figure.unit, now, before), now, before)


def _judge_values(unit: str, now: float, before: float) -> Verdict:
    """Return `better` where the record is so old or so bad that the bound would hide a change."""
    worse, better = (before, now) if BETTER[unit] == "more" else (now, before)
    if worse > better * BOUNDS[unit]:
        return "past"
    return "better" if better > worse * BOUNDS[unit] else "within"


def _held_value(unit: str, figure: float, ratio: float | None) -> float | None:
    if unit not in BOUNDS:
        return None
    return ratio if unit == CPU_UNIT else figure


def list_missing(parts: Mapping[str, Sequence[Figure]], recorded: Recorded) -> list[str]:
    """Return the recorded figures of these parts that the parts did not give."""
    given = {figure.name for figures in parts.values() for figure in figures}
    return [
        name for name, known in recorded.items() if known["part"] in parts and name not in given
    ]


def describe_machine(figures: Sequence[Figure], recorded: Recorded) -> Iterator[str]:
    """Yield a line for each recorded machine that was faster or slower than this one."""
    factors = {
        f"{figure.loop_us / known['loop_us']:.2g}"
        for figure in figures
        if (known := recorded.get(figure.name)) and known.get("loop_us") and figure.loop_us
    }
    for factor in sorted(factors, key=float):
        if not 1 / EQUAL_SPEED < float(factor) < EQUAL_SPEED:
            yield f"a turn of the Python loop takes {factor} times as long as when recorded"
