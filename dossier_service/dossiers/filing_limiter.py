"""Filings at one agency follow one another, and leave the database to those at the others.

Whoever has taken the agency's next serial keeps it to the commit, and the next filing there waits
for that with a connection of the pool: of one agency in great demand, for the whole country.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from shared.database.session import POOL_WAIT_SECONDS
from shared.web.problems import Unavailable

# One writes, the other is as far as its serial.
MAX_AT_ONCE = 2
# At one agency. Each of them holds one of the calls that the gateway lets this service have under
# way: it must not come to refuse what is for others.
MAX_WAITING = 32


class _AgencyQueue:
    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(MAX_AT_ONCE)
        self.waiting = 0


class FilingLimiter:
    """Of one process."""

    def __init__(self) -> None:
        # Kept by who has a turn or waits for one, and by nobody else.
        self._agencies: WeakValueDictionary[str, _AgencyQueue] = WeakValueDictionary()

    @asynccontextmanager
    async def hold_slot(self, agency: str) -> AsyncIterator[None]:
        """Raises Unavailable where too many wait, or after the longest wait for a connection."""
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
        async with asyncio.timeout(POOL_WAIT_SECONDS):
            await queue.slots.acquire()
    except TimeoutError:
        raise Unavailable from None
    finally:
        queue.waiting -= 1
