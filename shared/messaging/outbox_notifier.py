"""Wake the relay after a commit; a NOTIFY inside the transaction would serialise all commits."""

import asyncio

import asyncpg
import structlog
from sqlalchemy import URL

from shared.database.engine import connect_driver
from shared.database.resources import RESOURCES
from shared.database.session import OrmSession

log = structlog.get_logger()

CHANNEL = "outbox"
CONNECT_SECONDS = 5
ANSWER_SECONDS = 5
# Between two NOTIFYs: the fixed cost of a batch of the relay exceeds the cost of its rows.
MIN_INTERVAL_SECONDS = 0.01


class OutboxNotifier:
    """Send NOTIFY on a connection of its own, so that it takes none of the pool."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: asyncpg.Connection | None = None
        self._is_wanted = False
        self._notifying: asyncio.Task[None] | None = None

    def notify(self) -> None:
        """Schedule a NOTIFY; calls within `MIN_INTERVAL_SECONDS` of one share the next."""
        self._is_wanted = True
        if self._notifying is None or self._notifying.done():
            self._notifying = asyncio.create_task(self._notify_while_wanted())

    async def close(self) -> None:
        """Close the connection after the last scheduled NOTIFY."""
        try:
            if self._notifying:
                await self._notifying
        finally:
            # A server that does not answer must not delay the end.
            self._discard_connection()

    async def _notify_while_wanted(self) -> None:
        while self._is_wanted:
            self._is_wanted = False
            try:
                await self._notify()
            except Exception as error:  # noqa: BLE001 -- nothing awaits this task before `close`
                # The relay polls the outbox anyway, every `relay.POLL_SECONDS`.
                log.warning("relay_not_notified", error=type(error).__name__)
                self._discard_connection()
            await asyncio.sleep(MIN_INTERVAL_SECONDS)

    async def _notify(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect_driver(
                self._url, timeout=CONNECT_SECONDS, command_timeout=ANSWER_SECONDS
            )
        await self._connection.execute(f"NOTIFY {CHANNEL}")

    def _discard_connection(self) -> None:
        if self._connection:
            self._connection.terminate()
        self._connection = None


def notify_relay(session: OrmSession) -> None:
    """Wake the relay; the act of a session after its commit."""
    session.info[RESOURCES].get(OutboxNotifier).notify()
