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

from shared.texts.translatable import Translatable
from shared.web.problems import Unavailable

MAX_PUSHES: Final = 4
# One client cannot take all slots, so that others are not delayed by its pushes.
MAX_PUSHES_OF_CLIENT: Final = 2
# Shorter than the deadline that the gateway sets for a push.
MAX_WAIT_S: Final = 15.0


class PushLimiter:
    """The limiter of concurrent pushes, in all and for each client."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MAX_PUSHES)
        self._of_client: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def acquire_slot(self, client: str) -> AsyncIterator[None]:
        """Wait for a slot in order of arrival; raise Unavailable after `MAX_WAIT_S`."""
        # This reference keeps the semaphore as long as the push lasts; later it may be collected.
        client_slots = self._of_client.setdefault(client, asyncio.Semaphore(MAX_PUSHES_OF_CLIENT))
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(MAX_WAIT_S):
                    await stack.enter_async_context(client_slots)
                    await stack.enter_async_context(self._slots)
            except TimeoutError:
                raise Unavailable(
                    Translatable("Too many pushes wait: send fewer at a time.")
                ) from None
            yield


@asynccontextmanager
async def open_push_limiter(app: FastAPI) -> AsyncIterator[None]:
    app.state.push_limiter = PushLimiter()
    yield
