"""A slower machine passes, slower code fails: judged on figures made by hand."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from deploy.bench import loops
from deploy.bench.calibration import Calibration, mean, measure_loops
from deploy.bench.figures import Figure
from deploy.bench.judging import compare
from deploy.bench.measuring import judge, read_wanted_parts
from deploy.bench.record import Measured, update_recorded

LOOP_US = 1_200.0
FILING_CPU = "CPU of a filing: dossier-serve"
FORWARDING_CPU = "CPU of a request on the null upstream: gateway to nginx"
FIGURES = (
    Figure("filed", "1/s", [300.0, 310.0, 290.0], aim=280),
    Figure("filed: p95", "ms", [20.0, 21.0, 19.0], aim=40),
    Figure("1 GiB down: speed", "MiB/s", [1_900.0]),
    Figure("nginx: CPU of a request", "µs", [25.0, 24.0, 26.0]),
    Figure(FORWARDING_CPU, "µs", [150.0, 144.0, 156.0], reference=[25.0, 24.0, 26.0]),
    Figure(FILING_CPU, "µs", [2_400.0, 2_640.0, 2_160.0], reference=[1_200.0, 1_320.0, 1_080.0]),
    Figure("gateway / nginx", "ratio", [0.9, 0.88, 0.92], aim=0.8),
    Figure("SQL of a filing", "statements", [3.0], aim=6),
    Figure("peak memory: gateway", "MiB", [122.0]),
    Figure("log of a filing", "bytes", [5_000.0]),
)


def measured(figures: Iterable[Figure], loop_us: float = LOOP_US) -> list[Measured]:
    return [
        Measured(
            "costs",
            1.0,
            [replace(figure, loop_us=loop_us) for figure in figures],
            calibration=Calibration(loop_us, loop_us / 4, 25.0),
        )
    ]


RECORDED = update_recorded(measured(FIGURES), {})


def on_slower_machine(figure: Figure, factor: float) -> Figure:
    """Stretch all times and the calibration by the factor; ratios and counts stay."""
    scale = {"1/s": 1 / factor, "MiB/s": 1 / factor, "ms": factor, "µs": factor}
    by = scale.get(figure.unit, 1.0)
    return replace(
        figure,
        runs=[run * by for run in figure.runs],
        reference=[run * by for run in figure.reference],
    )


def with_factor(name: str, factor: float) -> list[Figure]:
    """Return the figures, of which one alone is multiplied; its reference stays."""
    return [
        replace(figure, runs=[run * factor for run in figure.runs])
        if figure.name == name
        else figure
        for figure in FIGURES
    ]


def test_same_figures_pass() -> None:
    assert judge(measured(FIGURES), RECORDED) == 0


@pytest.mark.parametrize("factor", [2.0, 4.0, 0.5])
def test_machine_of_another_speed_passes(factor: float, capsys: pytest.CaptureFixture[str]) -> None:
    slower = measured(
        (on_slower_machine(figure, factor) for figure in FIGURES), loop_us=LOOP_US * factor
    )
    assert judge(slower, RECORDED) == 0
    assert f"takes {factor:.2g} times as long as when recorded" in capsys.readouterr().out


@pytest.mark.parametrize("name", [FILING_CPU, FORWARDING_CPU])
@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_operation_that_costs_a_third_more_cpu_fails(
    name: str, speed: float, capsys: pytest.CaptureFixture[str]
) -> None:
    dearer = [on_slower_machine(figure, speed) for figure in with_factor(name, 1.33)]
    assert judge(measured(dearer, loop_us=LOOP_US * speed), RECORDED) == 1
    assert f"PAST ITS BOUND: {name}: " in capsys.readouterr().out


@pytest.mark.parametrize("name", [FILING_CPU, FORWARDING_CPU])
def test_noise_of_a_tenth_passes(name: str) -> None:
    assert judge(measured(with_factor(name, 1.1)), RECORDED) == 0


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("gateway / nginx", 0.75),
        ("SQL of a filing", 4 / 3),
        ("peak memory: gateway", 1.33),
        ("log of a filing", 1.33),
    ],
)
def test_worse_ratio_count_or_memory_fails(name: str, factor: float) -> None:
    assert judge(measured(with_factor(name, factor)), RECORDED) == 1
    assert judge(measured(with_factor(name, 1 / factor)), RECORDED) == 0


@pytest.mark.parametrize("name", ["filed", "filed: p95", "nginx: CPU of a request"])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_absolute_figure_alone_is_not_held(name: str, factor: float) -> None:
    assert judge(measured(with_factor(name, factor)), RECORDED) == 0


def test_figure_far_better_than_its_record_asks_for_a_new_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert judge(measured(with_factor(FILING_CPU, 0.7)), RECORDED) == 0
    assert f"better than its bound, record it anew: {FILING_CPU}: " in capsys.readouterr().out


@pytest.mark.parametrize(("other_work", "code"), [(0.1, 1), (0.6, 0)])
def test_cpu_beside_much_other_work_is_not_judged(
    other_work: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    part = replace(measured(with_factor(FILING_CPU, 1.33))[0], other_work=other_work)
    assert judge([part], RECORDED) == code
    assert ("not judged" in capsys.readouterr().out) == (code == 0)


def test_count_beside_much_other_work_is_judged() -> None:
    part = replace(measured(with_factor("SQL of a filing", 2.0))[0], other_work=0.9)
    assert judge([part], RECORDED) == 1


def test_part_beside_much_other_work_is_not_recorded() -> None:
    part = replace(measured(FIGURES)[0], other_work=0.6)
    assert update_recorded([part], {}) == {}


def test_figure_without_a_record_is_new_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(measured(FIGURES), {}) == 0
    assert "6 figures are not on record yet" in capsys.readouterr().out


def test_figure_recorded_without_a_ratio_is_new() -> None:
    without = replace(FIGURES[5], reference=())
    recorded = update_recorded(measured([without]), {})
    assert compare(FIGURES[5], recorded).verdict == "new"


def test_part_that_broke_off_fails() -> None:
    assert judge([Measured("costs", 1.0, failure="OSError()")], RECORDED) == 1


def test_recorded_figure_that_a_part_no_longer_gives_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert judge(measured(FIGURES[1:]), RECORDED) == 0
    assert "on record and not measured: filed\n" in capsys.readouterr().out
    judge([Measured("costs", 1.0, FIGURES[1:], failure="broke off")], RECORDED)
    assert "on record and not measured" not in capsys.readouterr().out


def test_calibrations_have_a_mean_also_without_nginx() -> None:
    assert mean([Calibration(1.0, 2.0), Calibration(3.0, 4.0)]) == Calibration(2.0, 3.0)
    assert mean([Calibration(1.0, 2.0, 5.0), Calibration(1.0, 2.0)]).nginx_us == 5.0


def test_loops_do_the_same_work_each_time() -> None:
    assert loops.run_hash_loop() == loops.run_hash_loop()
    assert loops.run_python_loop() == loops.run_python_loop()


async def test_calibration_is_taken_by_processes_of_its_own() -> None:
    async with asyncio.timeout(60):
        calibration = await measure_loops()
    assert calibration.python_us > calibration.hash_us > 0


def test_short_form_measures_the_costs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONLY", raising=False)
    monkeypatch.setenv("SHORT", "1")
    assert read_wanted_parts() == ["costs"]
    monkeypatch.setenv("ONLY", "lists,sync")
    assert read_wanted_parts() == ["lists", "sync"]
