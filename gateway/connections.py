"""How many connections one address may hold: the server itself limits only all of them together.

A connection that says nothing costs a place among all that the server takes, for as long as its
head may take to come. Where many are open, those of an address beyond its share that have no
request under way are shut, so that others find a place.
"""

import os
import socket
import stat
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import structlog
from prometheus_client import Counter, Gauge
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.neighbours import count_as

log = structlog.get_logger()

OPEN = Gauge("gateway_connections_open", "Connections of callers, counted while many are open")
SHUT = Counter("gateway_connections_shut_total", "Idle connections shut beyond an address's share")
_EVERY_S = 0.25
# Below so many open files nothing is looked at.
_FEW = 256
_SHARE = 0.5
_FILES = Path("/proc/self/fd")

Peer = tuple[str, int]


class Held(NamedTuple):
    """One connection of a caller: the socket is a copy, which shares its end."""

    peer: Peer
    copy: socket.socket


class ConnectionLimit:
    """Shuts idle connections of addresses that hold more than half as many as are free."""

    def __init__(self, port: int, total: int, *, is_exempt: Callable[[str], bool]) -> None:
        self._port, self._total, self._is_exempt = port, total, is_exempt
        self._busy: dict[Peer, int] = {}
        self._idle_before: frozenset[Peer] = frozenset()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="connections", daemon=True)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return `app`, noting which connections have a request under way."""
        busy = self._busy

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            peer = scope.get("client")
            if peer is None:
                await app(scope, receive, send)
                return
            # One request at a time on each: HTTP/1.1.
            busy[peer] = busy.get(peer, 0) + 1
            try:
                await app(scope, receive, send)
            finally:
                if busy[peer] == 1:
                    del busy[peer]
                else:
                    busy[peer] -= 1

        return noted

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the open connections until the end, where the system shows them."""
        if not _FILES.is_dir():
            yield
            return
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            if len(_open_files()) < _FEW:
                self._idle_before = frozenset()
                continue
            held = list(_connections(self._port))
            try:
                self._trim(held)
            finally:
                for connection in held:
                    connection.copy.close()

    def _trim(self, held: Sequence[Held]) -> None:
        """Shut what an address has beyond its share and was idle at the last look as well."""
        OPEN.set(len(held))
        busy = set(self._busy)
        idle = frozenset(each.peer for each in held if each.peer not in busy)
        by_address: dict[str, list[Held]] = defaultdict(list)
        for connection in held:
            by_address[count_as(connection.peer[0])].append(connection)
        allowed = int(_SHARE * max(0, self._total - len(held))) + 1
        for connections in by_address.values():
            beyond = len(connections) - allowed
            if beyond <= 0 or self._is_exempt(connections[0].peer[0]):
                continue
            lasting = [c for c in connections if c.peer in idle and c.peer in self._idle_before]
            shut(lasting[:beyond])
        self._idle_before = idle


def shut(connections: Collection[Held]) -> None:
    for connection in connections:
        try:
            connection.copy.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue  # it has just ended by itself
        SHUT.inc()
    if connections:
        log.warning("connections_shut", connections=len(connections))


def _open_files() -> list[int]:
    return [int(each.name) for each in _FILES.iterdir()]


def _connections(port: int) -> Iterator[Held]:
    """Yield a copy of each open connection to `port`; a copy stays the same one meanwhile."""
    for file in _open_files():
        try:
            if not stat.S_ISSOCK(os.fstat(file).st_mode):
                continue
            copy = socket.socket(fileno=os.dup(file))
        except OSError:
            continue  # closed meanwhile
        peer = _peer(copy, port)
        if peer:
            yield Held(peer, copy)
        else:
            copy.close()


def _peer(copy: socket.socket, port: int) -> Peer | None:
    try:
        if copy.family not in {socket.AF_INET, socket.AF_INET6} or copy.getsockname()[1] != port:
            return None
        peer = copy.getpeername()
    except OSError:
        return None  # it listens, or has ended
    return str(peer[0]), int(peer[1])
