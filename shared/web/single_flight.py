"""Work that many ask for at the same time is done once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class SingleFlight(Generic[Asked, Answer]):
    """Callers that come while an answer is being made share it; the next one begins anew.

    All ask for the same: the arguments of the first are taken. A caller that leaves ends nothing.
    """

    def __init__(self, make: Callable[Asked, Awaitable[Answer]]) -> None:
        self._make = make
        self._making: asyncio.Future[Answer] | None = None

    async def __call__(self, *asked: Asked.args, **named: Asked.kwargs) -> Answer:
        if self._making is None:
            self._making = asyncio.ensure_future(self._make(*asked, **named))
            self._making.add_done_callback(self._forget)
        return await asyncio.shield(self._making)

    def _forget(self, _: "asyncio.Future[Answer]") -> None:
        self._making = None
