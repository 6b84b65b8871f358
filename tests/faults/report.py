"""What a run came to: a line for each fault as it ends, and the table of docs/faults.md."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.bench.record import commit_id
from deploy.dev_stack.stack import ROOT
from tests.faults.fault import Kind, Suffered

DOCUMENT = ROOT / "docs" / "faults.md"
HEADING, SOAK_HEADING = "## The last whole run\n", "## The last soak\n"
MAX_SHOWN = 12
HEAD = (
    "| fault | struck, s | acknowledged | refused | unknown | good again after, s "
    "| seen late by at most, s | invariants |\n|---|--:|--:|--:|--:|--:|--:|---|"
)


def line(one: Suffered) -> str:
    if one.skipped:
        return f"{one.fault.name:24} skipped: {one.skipped}"
    recovered = "never" if one.recovered is None else f"{one.recovered:.0f} s"
    late = "" if one.late is None else f"{one.late:.1f} s"
    told = (
        f"{one.fault.name:24} {one.lasted:5.1f} s  acknowledged {one.acknowledged:5} "
        f"refused {one.refused:4} unknown {one.unknown:3}  good again {recovered:>5}  "
        f"seen late {late:>7}  {'held' if one.held else 'NOT HELD'}"
    )
    bad = ", ".join(f"{name}: {number}" for name, number in sorted(one.bad_answers.items()))
    hidden = len(one.wrong) - MAX_SHOWN
    more = [f"and {hidden} more"] if hidden > 0 else []
    return "\n    ".join([told, bad or "no bad answer", *one.notes, *one.wrong[:MAX_SHOWN], *more])


def write_report(
    came_to: Sequence[Suffered], seed: str, rate: float, seconds: float, document: Path = DOCUMENT
) -> None:
    """In place of the run before."""
    _write(document, HEADING, _section(came_to, seed, rate, seconds))


def write_soak(one: Suffered, seed: str, rate: float, document: Path = DOCUMENT) -> None:
    """In place of the soak before."""
    about = f"\n{_conditions(seed, rate)}, for {one.lasted / 60:.0f} minutes.\n\n{HEAD}"
    _write(document, SOAK_HEADING, [about, _row(one), *(f"\n{note}." for note in one.notes)])


def _write(document: Path, heading: str, lines: Iterable[str]) -> None:
    before, _, rest = document.read_text().partition(heading)
    following = rest[rest.index("\n## ") + 1 :] if "\n## " in rest else ""
    parts = [before + heading + "\n".join(lines) + "\n", *filter(None, [following])]
    document.write_text("\n".join(parts))


def _conditions(seed: str, rate: float) -> str:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"{day}, commit {commit_id()}, seed {seed}, {rate:g} operations a second"


def _section(came_to: Sequence[Suffered], seed: str, rate: float, seconds: float) -> Iterable[str]:
    yield f"\n{_conditions(seed, rate)}, {seconds / 60:.1f} minutes."
    for kind in Kind:
        rows = [one for one in came_to if one.fault.on is kind]
        yield f"\nThe mesh {kind.value}:\n\n{HEAD}"
        yield from (_row(one) for one in rows)
        yield from (f"\n{one.fault.about}: {'; '.join(one.notes)}." for one in rows if one.notes)


def _row(one: Suffered) -> str:
    if one.skipped:
        return f"| {one.fault.about} | | | | | | | skipped: {one.skipped} |"
    recovered = "never" if one.recovered is None else f"{one.recovered:.0f}"
    cells = (
        one.fault.about,
        f"{one.lasted:.1f}",
        one.acknowledged,
        one.refused,
        one.unknown,
        recovered,
        "" if one.late is None else f"{one.late:.1f}",
        "held" if one.held else f"NOT HELD ({len(one.wrong)})",
    )
    return f"| {' | '.join(map(str, cells))} |"
