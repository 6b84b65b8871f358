"""Load over loopback: each connection sends its next request when its answer has come.

Closed (`saturate`): at once, so that the server is never idle. Open (`at_rate`): at planned
instants; a request that must wait for a free connection counts from its planned instant, so that
a server which stands still for a second cannot hide all that should have come in that second.

A load waits for the requests under way at its end, but it fails if the server hangs.
"""

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

LoadRequest = bytes
Address = tuple[str, int]
FIRST_ERROR = 400
WARM_UP_S = 0.5
# How long after its end a load waits for answers.
PATIENCE_S = 30.0
MEBIBYTE = 1024 * 1024


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that is not exceeded by that share of them."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass
class LoadResult:
    """`planned` and `seconds` of each answered request, without those of the warm-up.

    `cpu` is the share of one core that this process, which sends the load, needed for it.
    """

    duration: float
    planned: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    cpu: float = 0.0

    def note(self, planned: float, answered: float, status: int) -> None:
        self.planned.append(planned)
        self.seconds.append(answered - planned)
        self.statuses[status] = self.statuses.get(status, 0) + 1

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.duration

    def ms(self, share: float) -> float:
        """Return the milliseconds within which that share of the requests was answered."""
        return quantile(self.seconds, share) * 1000

    def windows(self, count: int, begin: float = 0.0) -> list["LoadResult"]:
        """Return parts of equal length by the planned instants; `begin` starts the first one."""
        length = self.duration / count
        parts = [LoadResult(length, cpu=self.cpu) for _ in range(count)]
        begin = begin or min(self.planned, default=0.0)
        for planned, seconds in zip(self.planned, self.seconds, strict=True):
            part = parts[min(int((planned - begin) / length), count - 1)]
            part.planned.append(planned)
            part.seconds.append(seconds)
        return parts

    def require_success(self) -> "LoadResult":
        failed = {status: n for status, n in self.statuses.items() if status >= FIRST_ERROR}
        if failed or self.broken or not self.seconds:
            raise LoadFailedError(
                f"{len(self.seconds)} answers, by status {self.statuses}; {self.broken} broken"
            )
        return self


@dataclass(frozen=True)
class Span:
    """The connections of a load, its length, and the length of the uncounted warm-up before it.

    A request that is not answered `patience` seconds after the end fails the load.
    """

    connections: int
    seconds: float
    warm_up: float
    patience: float = PATIENCE_S

    @property
    def longest(self) -> float:
        return self.warm_up + self.seconds + self.patience


class LoadFailedError(Exception):
    """A request failed or was not answered in time, so that the speed means nothing."""


def request(method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> LoadRequest:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def repeated(one: LoadRequest) -> Iterator[LoadRequest]:
    return itertools.repeat(one)


async def saturate(
    address: Address,
    requests: Iterator[LoadRequest],
    *,
    connections: int,
    seconds: float,
    warm_up: float = WARM_UP_S,
    patience: float = PATIENCE_S,
) -> LoadResult:
    """Send as many requests as `connections` carry for `seconds`.

    Requests under way at the end are answered after it. A warm-up leaves as many uncounted;
    without one the time until the last answer counts, or many connections would flatter the slow.
    """

    span = Span(connections, seconds, warm_up, patience)
    outcome = await _run_load(address, requests, lambda _, end: _back_to_back(end), span)
    if not warm_up and outcome.seconds:
        ends = (at + each for at, each in zip(outcome.planned, outcome.seconds, strict=True))
        outcome.duration = max(ends) - min(outcome.planned)
    return outcome


async def at_rate(
    address: Address,
    requests: Iterator[LoadRequest],
    *,
    rate: float,
    connections: int,
    seconds: float,
    warm_up: float = WARM_UP_S,
) -> LoadResult:
    """Send `rate` requests a second, whether or not the server keeps up."""

    span = Span(connections, seconds, warm_up)
    return await _run_load(address, requests, partial(planned_instants, rate), span)


def _back_to_back(end: float) -> Iterator[float]:
    while (now := time.perf_counter()) < end:
        yield now


def planned_instants(rate: float, begin: float, end: float) -> Iterator[float]:
    return (begin + number / rate for number in range(round((end - begin) * rate)))


async def _run_load(
    address: Address,
    requests: Iterator[LoadRequest],
    instants: Callable[[float, float], Iterator[float]],
    span: Span,
) -> LoadResult:
    try:
        async with asyncio.timeout(span.longest):
            return await _send_all(address, requests, instants, span)
    except TimeoutError as error:
        raise LoadFailedError(f"not all answered after {span.longest:g} seconds") from error


async def _send_all(
    address: Address,
    requests: Iterator[LoadRequest],
    instants: Callable[[float, float], Iterator[float]],
    span: Span,
) -> LoadResult:
    outcome = LoadResult(span.seconds)
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(Connection, *address) for _ in range(span.connections)]
    started, cpu = time.perf_counter(), time.process_time()
    begin = started + span.warm_up
    shared = instants(started, begin + span.seconds)
    try:
        async with asyncio.TaskGroup() as tasks:
            for _, connection in opened:
                tasks.create_task(_send(connection, requests, shared, outcome, begin))
    finally:
        for transport, _ in opened:
            transport.close()
    outcome.cpu = (time.process_time() - cpu) / (time.perf_counter() - started)
    return outcome


async def _send(
    connection: "Connection",
    requests: Iterator[LoadRequest],
    instants: Iterator[float],
    outcome: LoadResult,
    begin: float,
) -> None:
    try:
        for planned in instants:
            if (ahead := planned - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            if (sent := next(requests, None)) is None:
                return
            status = await connection.ask(sent)
            if planned >= begin:
                outcome.note(planned, time.perf_counter(), status)
    except (OSError, ValueError):
        outcome.broken += 1


class Connection(asyncio.Protocol):
    """Read the status and find the end of each answer; bodies are counted and dropped."""

    def __init__(self) -> None:
        self._head = b""
        self._status = self._left = 0
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport  # uvloop's own, which is no asyncio.Transport

    def ask(self, sent: LoadRequest) -> "asyncio.Future[int]":
        """Send a request; the result is the status once the whole answer has arrived."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._answer.set_exception(ConnectionError("the server hung up"))
            return self._answer
        self._transport.write(sent)
        return self._answer

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        elif not self._read_head(data):
            return
        if self._left == 0 and self._answer and not self._answer.done():
            self._answer.set_result(self._status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server hung up"))

    def _read_head(self, data: bytes) -> bool:
        """Return False while the head of the answer is not complete."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, body = self._head[:end].lower() + b"\r\n", len(self._head) - end - 4
        self._head = b""
        self._status = int(head[9:12])
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            self._transport.abort()  # of an answer without a length the end is not seen here
            return False
        self._left = int(head[at + 17 : head.index(b"\r\n", at + 2)]) - body
        return True
