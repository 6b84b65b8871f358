"""Wake the worker after a commit; a NOTIFY inside the transaction would serialise all commits."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import asyncpg
import structlog
from sqlalchemy import URL

from shared.database.engine import connect_driver, render_driver_url
from shared.database.errors import retry_during_outage
from shared.database.resources import RESOURCES
from shared.database.session import OrmSession

log = structlog.get_logger()

# One for the events that the relay sends, one for the dead letters that are redelivered.
OUTBOX, LETTERS = "outbox", "dead_letter"
CONNECT_S = 5
ANSWER_S = 5
# Between two NOTIFYs: the fixed cost of a batch of the relay exceeds the cost of its rows.
MIN_INTERVAL_S = 0.01
# The connection that listens is checked this often: a half-open one reports no error.
HEARTBEAT_S = 5.0
HEARTBEAT_ANSWER_S = 5.0


class WorkerNotifier:
    """Send NOTIFY on a connection of its own, so that it takes none of the pool."""

    def __init__(self, url: URL) -> None:
        self._url = render_driver_url(url)
        self._connection: asyncpg.Connection | None = None
        self._channels: set[str] = set()
        self._notifying: asyncio.Task[None] | None = None

    def notify(self, channel: str) -> None:
        """Schedule a NOTIFY; calls within `MIN_INTERVAL_S` of one share the next."""
        self._channels.add(channel)
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
        while self._channels:
            channels, self._channels = self._channels, set()
            try:
                await self._notify(channels)
            except Exception as error:  # noqa: BLE001 -- nothing awaits this task before `close`
                # The worker polls anyway, every `relay.POLL_S` and `redelivery.POLL_S`.
                log.warning("worker_not_notified", error=type(error).__name__)
                self._discard_connection()
            await asyncio.sleep(MIN_INTERVAL_S)

    async def _notify(self, channels: set[str]) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect_driver(
                self._url, timeout=CONNECT_S, command_timeout=ANSWER_S
            )
        for channel in channels:
            await self._connection.execute(f"NOTIFY {channel}")

    def _discard_connection(self) -> None:
        if self._connection:
            self._connection.terminate()
        self._connection = None


def notify_relay(session: OrmSession) -> None:
    """Wake the relay; the act of a session after its commit."""
    session.info[RESOURCES].get(WorkerNotifier).notify(OUTBOX)


def notify_redelivery(session: OrmSession) -> None:
    """Wake the redelivery of dead letters; the act of a session after its commit."""
    session.info[RESOURCES].get(WorkerNotifier).notify(LETTERS)


@retry_during_outage
async def listen_for_commits(url: URL, wakes: Mapping[str, asyncio.Event]) -> None:
    """Set the event of a channel at each NOTIFY, and all events at each new connection."""
    connection = await connect_driver(render_driver_url(url), timeout=CONNECT_S)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    try:
        for channel in wakes:
            await connection.add_listener(channel, lambda *notice: wakes[notice[2]].set())
        for wake in wakes.values():
            wake.set()
        while not lost.is_set():
            await connection.execute("SELECT 1", timeout=HEARTBEAT_ANSWER_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), HEARTBEAT_S)
        raise ConnectionError("the connection that listens for commits was lost")
    finally:
        connection.terminate()
