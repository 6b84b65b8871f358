"""Filings at one agency follow one another, and leave the database to those at the others.

Whoever has taken the agency's next serial keeps it to the commit, and the next filing there waits
for that with a connection of the pool: of one agency in great demand, for the whole country.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from weakref import WeakValueDictionary

from fastapi import Depends, Request

from dossier_service.schemas.requests import FileDossier
from shared.auth import Caller
from shared.database import POOL_WAIT_SECONDS
from shared.problems import Unavailable

# One writes, the other is as far as its serial.
AT_ONCE = 2


class Turns:
    """Of one process."""

    def __init__(self) -> None:
        # Kept by who has a turn or waits for one, and by nobody else.
        self._agencies: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def at(self, agency: str) -> AsyncIterator[None]:
        """Raises Unavailable where it takes as long as nobody waits for a connection either."""
        turn = self._agencies.setdefault(agency, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(POOL_WAIT_SECONDS):
                await turn.acquire()
        except TimeoutError:
            raise Unavailable from None
        try:
            yield
        finally:
            turn.release()


async def _in_turn(request: Request, _: Caller, body: FileDossier) -> AsyncIterator[FileDossier]:
    turns: Turns = request.app.state.turns
    async with turns.at(body.received_by):
        yield body


# Asked for before the session, so that no connection is held before, and none after.
InTurn = Annotated[FileDossier, Depends(_in_turn, scope="function")]
