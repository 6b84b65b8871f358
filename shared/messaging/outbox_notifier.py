"""Wake the relay after a commit: a NOTIFY within the transaction would hold up all others."""

import asyncio

import asyncpg
import structlog
from sqlalchemy import URL

from shared.database.resources import RESOURCES
from shared.database.session import OrmSession

log = structlog.get_logger()

CHANNEL = "outbox"
CONNECT_SECONDS = 5
ANSWER_SECONDS = 5
# From one NOTIFY to the next: what the relay does for a batch costs more than for its rows.
APART_SECONDS = 0.01


class OutboxNotifier:
    """Has a connection of its own, from the first ring on: the pool's are for the work."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: asyncpg.Connection | None = None
        self._is_wanted = False
        self._notifying: asyncio.Task[None] | None = None

    def notify(self) -> None:
        """Waits for nothing. What is rung until `APART_SECONDS` after a NOTIFY shares the next."""
        self._is_wanted = True
        if self._notifying is None or self._notifying.done():
            self._notifying = asyncio.create_task(self._notify_while_wanted())

    async def close(self) -> None:
        """After the last ring was heard."""
        if self._notifying:
            await self._notifying
        if self._connection:
            # Nothing is under way on it, and a server that does not answer is not waited for.
            self._connection.terminate()

    async def _notify_while_wanted(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
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


def notify_relay(session: OrmSession) -> None:
    """Wake the relay; the act of a session after its commit."""
    session.info[RESOURCES].get(OutboxNotifier).notify()
