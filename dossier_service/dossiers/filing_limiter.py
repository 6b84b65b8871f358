"""Limit the concurrent filings at one agency, so that other agencies can use the database.

A filing holds the agency's next serial until it commits, and the next filing there waits for it
with a connection of the pool. One agency in great demand could take all connections.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from shared.database.engine import POOL_WAIT_S
from shared.web.problems import Unavailable

# One filing writes while the next one is prepared up to its serial.
MAX_AT_ONCE = 2
# At one agency: each waiting filing occupies one of the concurrent calls that the gateway allows
# this service, and the calls for other agencies need the rest.
MAX_WAITING = 32


class _AgencyQueue:
    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(MAX_AT_ONCE)
        self.waiting = 0


class FilingLimiter:
    """Gives the filings of this process their slots, agency by agency."""

    def __init__(self) -> None:
        # A queue lives as long as a filing holds it, so that idle agencies take no memory.
        self._agencies: WeakValueDictionary[str, _AgencyQueue] = WeakValueDictionary()

    @asynccontextmanager
    async def hold_slot(self, agency: str) -> AsyncIterator[None]:
        """Wait for a slot; raise Unavailable if too many wait, or after `POOL_WAIT_S`."""
        queue = self._agencies.setdefault(agency, _AgencyQueue())
        await _wait_for_slot(queue)
        try:
            yield
        finally:
            queue.slots.release()


async def _wait_for_slot(queue: _AgencyQueue) -> None:
    if queue.waiting >= MAX_WAITING:
        raise Unavailable
    queue.waiting += 1
    try:
        async with asyncio.timeout(POOL_WAIT_S):
            await queue.slots.acquire()
    except TimeoutError:
        raise Unavailable from None
    finally:
        queue.waiting -= 1
