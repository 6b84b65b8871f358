"""Wakes whoever waits for the outbox, after the commit: NOTIFY within it would hold all others."""

import asyncio

import asyncpg
import structlog
from sqlalchemy import URL

log = structlog.get_logger()

CHANNEL = "outbox"
CONNECT_SECONDS = 5
ANSWER_SECONDS = 5
# From one NOTIFY to the next: what the relay does for a batch costs more than for its rows.
APART_SECONDS = 0.01


class Bell:
    """Has a connection of its own, from the first ring on: the pool's are for the work."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: asyncpg.Connection | None = None
        self._is_rung = False
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Waits for nothing. What is rung until `APART_SECONDS` after a NOTIFY shares the next."""
        self._is_rung = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring())

    async def close(self) -> None:
        """After the last ring was heard."""
        if self._ringing:
            await self._ringing
        if self._connection:
            # Nothing is under way on it, and a server that does not answer is not waited for.
            self._connection.terminate()

    async def _ring(self) -> None:
        while self._is_rung:
            self._is_rung = False
            try:
                await self._notify()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # No harm is done: who waits looks by itself every so often.
                log.warning("bell_unheard", error=type(error).__name__)
                if self._connection:
                    self._connection.terminate()
                self._connection = None
            await asyncio.sleep(APART_SECONDS)

    async def _notify(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url, timeout=CONNECT_SECONDS, command_timeout=ANSWER_SECONDS
            )
        await self._connection.execute(f"NOTIFY {CHANNEL}")
