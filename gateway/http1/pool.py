"""Pool the connections to the upstream services."""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from gateway.http1.connection import Connection

# This is below uvicorn's 5 s, so that the gateway closes idle connections first and no call is sent
# into a connection that the service is closing.
KEEPALIVE_S = 4.0


class Address(NamedTuple):
    """The address of a service: `root` prefixes every target, `authority` is the value of Host."""

    host: str
    port: int
    tls: bool
    authority: str
    root: str

    @classmethod
    def parse(cls, url: str) -> Self:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        return cls(
            parts.hostname or "",
            parts.port or (443 if tls else 80),
            tls,
            parts.netloc.rpartition("@")[2],
            parts.path.rstrip("/"),
        )


class ConnectionPool:
    """The connection pool. It has no limit, because `Upstream` limits the calls."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._idle: dict[Address, list[tuple[Connection, float]]] = defaultdict(list)
        self._all: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def acquire(self, address: Address) -> Connection | None:
        """Return the idle connection that was used last, or None."""
        idle, since = self._idle[address], time.monotonic() - KEEPALIVE_S
        while idle:
            connection, kept_at = idle.pop()
            if connection.is_idle and kept_at > since:
                return connection
            connection.close()
        return None

    async def open(self, address: Address) -> Connection:
        """Open a connection; raise OSError."""
        _, connection = await self.loop.create_connection(
            lambda: Connection(self._all.discard),
            address.host,
            address.port,
            ssl=_load_trust_store() if address.tls else None,
        )
        self._all.add(connection)
        return connection

    def release(self, address: Address, connection: Connection) -> None:
        """Keep the connection of a complete answer; close any other one."""
        if connection.is_idle:
            self._idle[address].append((connection, time.monotonic()))
            self._schedule_next_sweep()
        else:
            connection.close()

    def _schedule_next_sweep(self) -> None:
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(KEEPALIVE_S, self._close_unused_connections)

    def _close_unused_connections(self) -> None:
        """Close connections that were idle for `KEEPALIVE_S`; the oldest come first."""
        self._sweeping, since = None, time.monotonic() - KEEPALIVE_S
        for idle in self._idle.values():
            while idle and idle[0][1] <= since:
                idle.pop(0)[0].close()
        if any(self._idle.values()):
            self._schedule_next_sweep()

    def close(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        for connection in list(self._all):
            connection.close()


@cache  # loading the certificates of the machine is too slow for each connection
def _load_trust_store() -> ssl.SSLContext:
    return ssl.create_default_context()


@asynccontextmanager
async def open_pool() -> AsyncIterator[ConnectionPool]:
    session = ConnectionPool()
    try:
        yield session
    finally:
        session.close()
