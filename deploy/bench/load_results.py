"""Figures made from the outcomes of loads."""

from collections.abc import Iterator, Mapping, Sequence

from deploy.bench.figures import Figure
from deploy.bench.load import LoadResult

SHARES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def speed(name: str, runs: Sequence[LoadResult], aim: float | None = None) -> Figure:
    return Figure(name, "1/s", [run.require_success().per_second for run in runs], aim)


def latencies(name: str, runs: Sequence[LoadResult], **aims: float) -> Iterator[Figure]:
    """Yield a figure for each quantile; `aims` are milliseconds by the names p50, p95, p99."""
    for quantile, share in SHARES.items():
        yield Figure(
            f"{name}: {quantile}", "ms", [run.ms(share) for run in runs], aims.get(quantile)
        )


def sender(name: str, runs: Sequence[LoadResult]) -> Figure:
    """Return the CPU of the load generator; near 100 % the generator itself would be measured."""
    return Figure(f"{name}: CPU of the load generator", "%", [run.cpu * 100 for run in runs])
