"""Limit the connections of one address; the server limits only their total number.

A silent connection occupies a place of the server until its header timeout. When many connections
are open, the idle ones of an address beyond its share are shut, so that other addresses get a
place.
"""

import os
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import structlog
from prometheus_client import Counter, Gauge
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.access.callers.client_address import normalise_counted_address

log = structlog.get_logger()

OPEN = Gauge(
    "gateway_connections_open", "Connections of callers, counted while many are open, else 0"
)
SHUT = Counter("gateway_connections_shut_total", "Idle connections shut beyond an address's share")
# A scan takes time in proportion to the connections, so the pause after it does as well.
_EVERY_S, _PAUSES_A_LOOK = 0.25, 20
# Below an eighth of the connections that the server accepts, no scan is made.
_FEW = 1_024
_SHARE = 0.5
_FILES = Path("/proc/self/fd")
# One line for each connection of this network namespace, see proc_net_tcp(5).
_TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
# Established, or with the caller's half closed.
_OPEN_STATES = "01|08"
_WORD_BYTES = 4

Peer = tuple[str, int]


class HeldConnection(NamedTuple):
    """A connection of a caller, and the inode of its socket in this process."""

    peer: Peer
    inode: int


class ConnectionLimit:
    """Shut idle connections of an address that holds more than half as many as are free."""

    def __init__(self, port: int, total: int, *, is_exempt: Callable[[str], bool]) -> None:
        self._port, self._total, self._is_exempt = port, total, is_exempt
        self._busy: dict[Peer, int] = {}
        self._idle_before: frozenset[Peer] = frozenset()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._scan_until_stopped, name="connections", daemon=True
        )

    def wrap_application(self, app: ASGIApp) -> ASGIApp:
        """Return `app` wrapped so that a connection is busy while it has a request under way."""
        busy = self._busy

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            peer = scope.get("client")
            if peer is None:
                await app(scope, receive, send)
                return
            # HTTP/1.1 has one request at a time on a connection; the count bridges two requests.
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
    def watch_open_connections(self) -> Iterator[None]:
        """Scan the open connections inside the context, on systems that list them under /proc."""
        if not (_FILES.is_dir() and _TABLES[0].is_file()):
            yield
            return
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()

    def _scan_until_stopped(self) -> None:
        pause_s = _EVERY_S
        while not self._stopped.wait(pause_s):
            began = time.thread_time()
            try:
                self.scan_open_connections()
            except OSError:
                # File descriptors may be exhausted; without this thread the limit would end.
                log.exception("connections_not_looked_at")
            pause_s = max(_EVERY_S, _PAUSES_A_LOOK * (time.thread_time() - began))

    def scan_open_connections(self) -> None:
        """Scan the connections if many are open, and shut those beyond a share."""
        if len(os.listdir(_FILES)) < _FEW:  # noqa: PTH208 -- the names alone are counted
            self._idle_before = frozenset()
            OPEN.set(0)
            return
        self._shut_excess_connections(list_connections(self._port))

    def _shut_excess_connections(self, held: Sequence[HeldConnection]) -> None:
        """Shut connections beyond the share of an address that were idle in two scans in a row."""
        OPEN.set(len(held))
        busy = set(self._busy)
        idle = frozenset(connection.peer for connection in held if connection.peer not in busy)
        by_address: dict[str, list[HeldConnection]] = defaultdict(list)
        for connection in held:
            by_address[normalise_counted_address(connection.peer[0])].append(connection)
        allowed = int(_SHARE * max(0, self._total - len(held))) + 1
        chosen: list[HeldConnection] = []
        for connections in by_address.values():
            beyond = len(connections) - allowed
            if beyond > 0 and not self._is_exempt(connections[0].peer[0]):
                idle_twice = [
                    c for c in connections if c.peer in idle and c.peer in self._idle_before
                ]
                chosen += idle_twice[:beyond]
        self._idle_before = idle
        if chosen:
            shut_idle_connections(chosen)


def shut_idle_connections(connections: Collection[HeldConnection]) -> None:
    files = _map_files_by_inode()
    count = sum(
        _shut_connection_file(files[connection.inode], connection.peer)
        for connection in connections
        if connection.inode in files
    )
    SHUT.inc(count)
    log.warning("connections_shut", connections=count)


def _shut_connection_file(file: int, peer: Peer) -> bool:
    """Shut the connection of a file descriptor unless the descriptor has been reused."""
    try:
        copy = socket.socket(fileno=os.dup(file))
    except OSError:
        return False
    with copy:
        try:
            if copy.getpeername()[:2] != peer:
                return False
            copy.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False  # it has just ended by itself
    return True


def _map_files_by_inode() -> Mapping[int, int]:
    files: dict[int, int] = {}
    for name in os.listdir(_FILES):  # noqa: PTH208 -- thousands of names, and no path of them
        try:
            target = os.readlink(f"{_FILES}/{name}")  # noqa: PTH115 -- as above
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            files[int(target[8:-1])] = int(name)
    return files


def list_connections(port: int) -> list[HeldConnection]:
    """Return the open connections to a local port, read from /proc without opening their files."""
    local_address = rf"^ *\d+: [0-9A-F]+:{port:04X}"
    line = re.compile(
        rf"{local_address} ([0-9A-F]+):([0-9A-F]{{4}}) (?:{_OPEN_STATES}) (?:\S+ +){{5}}(\d+)",
        re.MULTILINE,
    )
    texts = [table.read_text() for table in _TABLES if table.is_file()]
    # A lazy match lets other threads run between the lines.
    matches = chain.from_iterable(map(line.finditer, texts))
    return [
        HeldConnection((_parse_kernel_address(match[1]), int(match[2], 16)), int(match[3]))
        for match in matches
    ]


def _parse_kernel_address(written: str) -> str:
    """Return the text of an address that the kernel wrote in words of native byte order."""
    words = bytes.fromhex(written)
    raw = b"".join(words[at : at + _WORD_BYTES][::-1] for at in range(0, len(words), _WORD_BYTES))
    return socket.inet_ntop(socket.AF_INET if len(raw) == _WORD_BYTES else socket.AF_INET6, raw)
