"""Limit the number of concurrent pushes; a push that waits holds no connection of the pool.

Pushes lock the same rows of the database one after another. Without the limit each of them would
hold a connection while it waits for a lock, and reads would find none.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from fastapi import FastAPI

from shared.web.problems import Unavailable

LANES: Final = 4
# One client cannot take all lanes, so that others are not delayed by its pushes.
LANES_OF_CLIENT: Final = 2
# Shorter than the deadline that the gateway sets for a push.
WAIT_SECONDS: Final = 15.0


class PushLanes:
    """The limiter of concurrent pushes, in all and for each client."""

    def __init__(self) -> None:
        self._lanes = asyncio.Semaphore(LANES)
        self._of_client: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def enter(self, client: str) -> AsyncIterator[None]:
        """Wait for a lane in order of arrival; raise Unavailable after `WAIT_SECONDS`."""
        # This reference keeps the semaphore as long as the push lasts; later it may be collected.
        own = self._of_client.setdefault(client, asyncio.Semaphore(LANES_OF_CLIENT))
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await stack.enter_async_context(own)
                    await stack.enter_async_context(self._lanes)
            except TimeoutError:
                raise Unavailable("Too many pushes wait: send fewer at a time.") from None
            yield


@asynccontextmanager
async def open_lanes(app: FastAPI) -> AsyncIterator[None]:
    app.state.push_lanes = PushLanes()
    yield
