"""Steps of a part, one after the other: one that fails does not take the others' figures along."""

from collections.abc import Awaitable, Iterable, Sequence

from deploy.bench.figures import Figure


class PartlyMeasuredError(Exception):
    """Some steps failed; `figures` are those of the others."""

    def __init__(self, figures: Sequence[Figure], failures: Sequence[Exception]) -> None:
        super().__init__("; ".join(map(repr, failures)))
        self.figures = figures


async def run_steps(steps: Iterable[Awaitable[list[Figure]]]) -> list[Figure]:
    """Run the steps; raise PartlyMeasuredError after the last one if one failed."""
    figures: list[Figure] = []
    failures: list[Exception] = []
    for step in steps:
        try:
            figures += await step
        except PartlyMeasuredError as error:
            figures += error.figures
            failures.append(error)
        except Exception as error:  # noqa: BLE001 -- the other steps can be measured after any error
            failures.append(error)
    if failures:
        raise PartlyMeasuredError(figures, failures)
    return figures
