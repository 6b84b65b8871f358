"""Connections are seen whole and without a file for each; one is shut, and only the right one."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from gateway.access.callers import connection_limit as connections
from gateway.access.callers.connection_limit import (
    OPEN,
    ConnectionLimit,
    HeldConnection,
    list_connections,
    shut_idle_connections,
)

COUNT = 20


@contextmanager
def connected(address: str, count: int) -> Iterator[tuple[int, list[socket.socket]]]:
    """Yield the port of a server that has taken so many connections, and the callers' ends."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((address, 0), family=family))
        port = server.getsockname()[1]
        callers = []
        for _ in range(count):
            callers.append(stack.enter_context(socket.create_connection((address, port))))
            stack.enter_context(server.accept()[0])
        yield port, callers


def peers(callers: list[socket.socket]) -> set[tuple[str, int]]:
    return {caller.getsockname()[:2] for caller in callers}


def is_shut(caller: socket.socket) -> bool:
    caller.setblocking(False)
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_all_connections_to_a_port_are_listed(address: str) -> None:
    with connected(address, COUNT) as (port, callers):
        assert {held.peer for held in list_connections(port)} == peers(callers)


def test_connection_whose_caller_closed_its_half_is_listed() -> None:
    with connected("127.0.0.1", 1) as (port, [caller]):
        caller.shutdown(socket.SHUT_WR)
        assert [held.peer for held in list_connections(port)] == [caller.getsockname()]


def test_listing_takes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a look at many would leave no file for a call."""

    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with connected("127.0.0.1", COUNT) as (port, callers):
        monkeypatch.setattr(os, "dup", refuse)
        assert {held.peer for held in list_connections(port)} == peers(callers)


def test_named_connections_are_shut_and_no_others() -> None:
    with connected("127.0.0.1", COUNT) as (port, callers):
        chosen = peers(callers[:5])
        shut_idle_connections([held for held in list_connections(port) if held.peer in chosen])
        assert [is_shut(caller) for caller in callers] == [True] * 5 + [False] * (COUNT - 5)


def test_file_that_became_another_connection_is_left_open() -> None:
    with connected("127.0.0.1", 2) as (port, callers):
        one, two = list_connections(port)
        shut_idle_connections(
            [HeldConnection(one.peer, two.inode), HeldConnection(two.peer, one.inode)]
        )
        assert not any(map(is_shut, callers))


def test_without_a_free_file_nothing_is_shut_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with connected("127.0.0.1", 2) as (port, callers):
        held = list_connections(port)
        monkeypatch.setattr(os, "dup", refuse)
        shut_idle_connections(held)
        assert not any(map(is_shut, callers))


def test_count_does_not_stay_where_it_was_when_few_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def count() -> float:
        [[sample]] = (metric.samples for metric in OPEN.collect())
        return float(sample.value)

    with connected("127.0.0.1", COUNT) as (port, _):
        limit = ConnectionLimit(port, 1_000, is_exempt=lambda _: False)
        monkeypatch.setattr(connections, "_FEW", 0)
        limit.scan_open_connections()
        assert count() == COUNT
    monkeypatch.setattr(connections, "_FEW", 100_000)
    limit.scan_open_connections()
    assert count() == 0
