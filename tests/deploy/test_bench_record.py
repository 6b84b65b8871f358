"""Figures, their table, the record that later runs are held to, and the history."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.bench.calibration import Calibration
from deploy.bench.events import compute_speeds
from deploy.bench.figures import Figure, format_number, format_table
from deploy.bench.plot import draw
from deploy.bench.record import (
    BEGIN,
    DOCUMENT,
    END,
    Measured,
    Run,
    append_to_history,
    fill_document,
    read_recorded,
    update_recorded,
    write_recorded,
)
from deploy.bench.statement_counter import CountedStatements
from deploy.bench.steps import PartlyMeasuredError, run_steps

SPEED = Figure("filed", "1/s", [90.0, 100.0, 120.0], 300)
LATENCY = Figure("filed: p95", "ms", [8.0, 10.0, 9.0], 50, reference=[4.0, 4.0, 3.0])


def test_figure_is_the_median_and_its_ratio_that_of_runs_side_by_side() -> None:
    assert (SPEED.median, SPEED.spread, SPEED.ratio) == (100.0, "90 … 120", None)
    assert (LATENCY.median, LATENCY.ratio) == (9.0, 2.5)  # of 2, 2.5 and 3


def test_aim_is_met_from_its_own_side() -> None:
    assert (SPEED.is_met, SPEED.aim_text) == (False, "≥ 300")
    assert (LATENCY.is_met, LATENCY.aim_text) == (True, "≤ 50")
    assert Figure("x", "1/s", [1.0]).is_met is None


def test_figure_without_a_run_is_refused() -> None:
    with pytest.raises(ValueError, match="was not measured"):
        Figure("x", "1/s", [])


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.31234, "0.312"), (23.456, "23.5"), (1093.2, "1,090"), (39_412.0, "39,400"), (-2.0, "-2")],
)
def test_number_has_three_significant_digits(number: float, expected: str) -> None:
    assert format_number(number) == expected


def test_table_has_figure_spread_loops_ratio_and_aim() -> None:
    calibrated = replace(LATENCY, loop_us=1_000.0)
    head, first, second = format_table([SPEED, calibrated]).splitlines()
    assert head.split() == [
        "what",
        "figure",
        "unit",
        "spread",
        "in",
        "loops",
        "ratio",
        "aim",
        "met",
    ]
    assert first.split() == ["filed", "100", "1/s", "90", "…", "120", "≥", "300", "NO"]
    assert second.split()[-5:] == ["9", "2.5", "≤", "50", "yes"]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("µs", 0.05), ("ms", 50.0), ("1/s", 0.2), ("MiB/s", 0.2), ("ratio", None), ("MiB", None)],
)
def test_absolute_figure_is_given_in_turns_of_the_loop(unit: str, expected: float | None) -> None:
    assert Figure("x", unit, [100.0], loop_us=2_000.0).in_loops == expected
    assert Figure("x", unit, [100.0]).in_loops is None


def test_history_entry_has_commit_sizes_calibration_seconds_and_failures(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text('{"at": "before"}\n')
    run = Run(
        [
            Measured("filings", 12.34, [SPEED], calibration=Calibration(1234.56, 262.0)),
            Measured("sync", 0.1, failure="OSError()"),
        ],
        sizes={"dossiers": 1000},
        at=datetime(2026, 11, 22, 16, tzinfo=UTC),
        commit="abc123",
    )

    append_to_history(run, history)

    first, second = history.read_text().splitlines()
    assert first == '{"at": "before"}'
    entry = json.loads(second)
    assert entry.pop("machine")
    assert entry == {
        "at": "2026-11-22T16:00:00+00:00",
        "commit": "abc123",
        "sizes": {"dossiers": 1000},
        "seconds": {"filings": 12.3, "sync": 0.1},
        "calibration": {"filings": {"python_us": 1235, "hash_us": 262, "nginx_us": None}},
        "other_work": {"filings": 0.0, "sync": 0.0},
        "failed": {"sync": "OSError()"},
        "figures": [
            {
                "part": "filings",
                "name": "filed",
                "unit": "1/s",
                "runs": [90.0, 100.0, 120.0],
                "ratio": None,
                "aim": 300,
            }
        ],
    }


def test_record_of_one_part_replaces_that_part_alone() -> None:
    before = update_recorded(
        [Measured("filings", 1, [SPEED, LATENCY]), Measured("sync", 1, [_other()])], {}
    )
    after = update_recorded(
        [Measured("filings", 1, [SPEED]), Measured("sync", 1, failure="x")], before
    )
    assert sorted(before) == ["filed", "filed: p95", "pushed"]
    assert sorted(after) == ["filed", "pushed"]


def test_record_is_read_as_written_and_stands_in_the_document(tmp_path: Path) -> None:
    path, document = tmp_path / "recorded.json", tmp_path / "performance.md"
    document.write_text(f"before\n{BEGIN}old\n{END}after\n")
    calibrated = [replace(figure, loop_us=1_500.0) for figure in (SPEED, LATENCY)]
    recorded = update_recorded([Measured("filings", 1, calibrated)], {})

    write_recorded(recorded, path, document)

    assert read_recorded(path) == recorded
    filled = document.read_text()
    assert filled.startswith(f"before\n{BEGIN}\n### `make bench ONLY=filings`\n")
    assert "A turn of the Python loop took 1,500 µs.\n" in filled
    assert "| filed | 100 1/s | 90 … 120 |  | ≥ 300 | **no** |\n" in filled
    assert "| filed: p95 | 9 ms | 8 … 10 | 2.5 | ≤ 50 | yes |\n" in filled
    assert filled.endswith(f"{END}after\n")
    assert "old" not in filled


def test_committed_document_shows_the_committed_record() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    recorded = read_recorded()
    assert (fill_document(document, recorded) if recorded else document) == document
    assert document.count(BEGIN) == document.count(END) == 1


def test_document_without_the_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section"):
        fill_document("no marks here", {})


def test_plot_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    costs = {"list": {10_000: [3.0, 4.0], 100_000: [3.5]}, "filing": {10_000: [9.0, 8.0]}}
    for name in ("one.svg", "other.svg"):
        draw(costs, {"connections": {1: [100.0], 4: [300.0]}}, tmp_path / name)
    one = (tmp_path / "one.svg").read_bytes()
    assert one == (tmp_path / "other.svg").read_bytes()
    assert b"filing" in one
    assert b"<dc:date>" not in one


def test_speeds_of_stretches_begin_with_the_first_batch_that_is_done() -> None:
    instants = [(100, 5.0), (300, 6.0), (500, 7.0), (900, 8.0)]
    assert compute_speeds(instants, 3) == [200.0, 200.0, 400.0]


def test_statements_are_counted_by_database_and_session_without_the_transactions() -> None:
    log = (
        "dossier 7 LOG:  statement: BEGIN ISOLATION LEVEL READ COMMITTED;\n"
        "dossier 7 LOG:  execute __asyncpg_stmt_3__: INSERT INTO idempotency_key (client)\n"
        "\tVALUES ($1)\n"
        "dossier 7 DETAIL:  Parameters: $1 = 'LOG:  statement: SELECT 1'\n"
        "dossier 7 LOG:  execute __asyncpg_stmt_4__: WITH new AS (\n"
        "dossier 7 LOG:  statement: COMMIT;\n"
        "dossier 8 LOG:  execute __asyncpg_stmt_9__: SELECT pg_try_advisory_xact_lock($1)\n"
        "sync 9 LOG:  statement: SELECT 1\n"
    )
    counted = CountedStatements(log)
    assert counted.of("dossier") == 3
    assert counted.of("dossier", session_with="idempotency_key") == 2
    assert counted.of("sync") == 1


def _other() -> Figure:
    return Figure("pushed", "1/s", [5.0])


async def test_step_that_fails_leaves_the_figures_of_the_others() -> None:
    async def good() -> list[Figure]:
        return [SPEED]

    async def bad() -> list[Figure]:
        raise OSError("no server")

    with pytest.raises(PartlyMeasuredError, match="no server") as failed:
        await run_steps([good(), run_steps([bad(), good()]), good()])
    assert failed.value.figures == [SPEED, SPEED, SPEED]
    assert await run_steps([good()]) == [SPEED]
