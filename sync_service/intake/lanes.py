"""Bounded lanes for pushes: a push that waits for its turn holds no connection of the pool.

Pushes meet in the database, where they change the same rows one after another. Without lanes each
of them would hold a connection while it waits there, and reads would find none.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

from fastapi import FastAPI

from shared.web.problems import Unavailable

LANES: Final = 4
# A client leaves lanes to others, however many pushes it sends at a time.
LANES_OF_CLIENT: Final = 2
# Below the time that the gateway gives a push.
WAIT_SECONDS: Final = 15.0


class PushLanes:
    def __init__(self) -> None:
        self._lanes = asyncio.Semaphore(LANES)
        self._of_client: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def enter(self, client: str) -> AsyncIterator[None]:
        """Wait for a lane, first come, first served; raise Unavailable after `WAIT_SECONDS`."""
        # Kept here as long as this push lasts: afterwards nobody may need it.
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
