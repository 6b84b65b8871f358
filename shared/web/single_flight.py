"""Share one run of a coroutine among concurrent callers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
ResultType = TypeVar("ResultType")


class SingleFlight(Generic[Arguments, ResultType]):
    """Run `make` once for all callers that wait at the same time; the next caller starts it anew.

    The arguments of the first caller are used, so all must be equal. A cancelled caller does not
    cancel the run.
    """

    def __init__(self, make: Callable[Arguments, Awaitable[ResultType]]) -> None:
        self._make = make
        self._making: asyncio.Future[ResultType] | None = None

    async def __call__(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> ResultType:
        if self._making is None:
            self._making = asyncio.ensure_future(self._make(*arguments, **options))
            self._making.add_done_callback(self._forget)
        return await asyncio.shield(self._making)

    def _forget(self, _: "asyncio.Future[ResultType]") -> None:
        self._making = None
