"""The curves of growth, as a picture that is the same for the same figures."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

Curves = Mapping[str, Mapping[int, Sequence[float]]]

PLOT = Path(__file__).parent / "growth.svg"
INCHES = (11, 4.5)
NO_DATE = {"Date": None}


def draw(costs: Curves, served: Curves, path: Path) -> None:
    # Else names within the file, and the day on which it was drawn, would differ each time.
    with mpl.rc_context({"svg.hashsalt": "growth", "svg.fonttype": "none"}):
        drawing = Drawing(figsize=INCHES, layout="constrained")
        by_size, by_server = drawing.subplots(1, 2)
        _draw_curves(by_size, costs)
        by_size.set(xscale="log", yscale="log", xlabel="dossiers", ylabel="ms, median of the runs")
        _draw_curves(by_server, served)
        by_server.set(xlabel="how many at once", ylabel="verifications/s")
        by_server.set_xscale("log", base=2)
        by_server.set_ylim(bottom=0)
        drawing.savefig(path, metadata=NO_DATE)


def _draw_curves(axes: Axes, curves: Curves) -> None:
    for name, points in curves.items():
        medians = [statistics.median(runs) for runs in points.values()]
        least = [median - min(runs) for median, runs in zip(medians, points.values(), strict=True)]
        most = [max(runs) - median for median, runs in zip(medians, points.values(), strict=True)]
        axes.errorbar(list(points), medians, yerr=(least, most), marker="o", capsize=3, label=name)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
