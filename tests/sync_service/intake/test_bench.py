"""What `make bench` pushes is taken row by row: a batch of refused rows is answered 200 too."""

import pytest

from deploy.bench.sync import DAILY, NUMBERS, PASSES, row
from tests.sync_service.national import National

COUNT = 5


@pytest.mark.parametrize("begin", [0, DAILY - 2, NUMBERS - COUNT])
async def test_rows_of_the_bench_are_taken_in_each_of_its_passes(
    empty: National, begin: int
) -> None:
    for told, status in PASSES.items():
        rows = [row(number, status) for number in range(begin, begin + COUNT)]
        outcome = "accepted" if told == "new" else "updated"
        assert await empty.outcomes(*rows) == [outcome] * COUNT
