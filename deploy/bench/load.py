"""Load over loopback: some connections, each sending its next request when its answer has come."""

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Request = bytes


@dataclass
class Outcome:
    """`seconds` holds the time of each answered request; `statuses` counts them by status."""

    duration: float = 0.0
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.duration if self.duration else 0.0

    def quantile(self, share: float) -> float:
        """Milliseconds within which that share of the requests was answered."""
        if len(self.seconds) < 2:  # noqa: PLR2004 -- a quantile needs two points
            return 0.0
        return statistics.quantiles(self.seconds, n=1000)[round(share * 1000) - 1] * 1000

    def failures(self) -> int:
        return self.broken + sum(n for status, n in self.statuses.items() if status >= 400)  # noqa: PLR2004 -- HTTP


def request(method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Request:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def saturate(
    host: str,
    port: int,
    requests: Iterator[Request],
    *,
    connections: int,
    seconds: float,
    warm_up: float = 1.0,
) -> Outcome:
    """As many requests as `connections` carry for `seconds`; what the warm-up does is dropped."""
    outcome = Outcome()
    begin = time.perf_counter() + warm_up
    end = begin + seconds
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_connection((host, port), requests, outcome, begin, end))
    outcome.duration = seconds
    return outcome


async def _connection(
    address: tuple[str, int],
    requests: Iterator[Request],
    outcome: Outcome,
    begin: float,
    end: float,
) -> None:
    reader, writer = await asyncio.open_connection(*address)
    try:
        for sent in requests:
            started = time.perf_counter()
            if started > end:
                return
            writer.write(sent)
            status = await _read_answer(reader)
            now = time.perf_counter()
            if begin <= now <= end:
                outcome.seconds.append(now - started)
                outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    except (OSError, EOFError, ValueError):
        outcome.broken += 1
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    at = head.find(b"content-length:")
    if at >= 0:
        length = int(head[at + 15 : head.index(b"\r\n", at)])
        await reader.readexactly(length)
    elif b"chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return status


def repeated(one: Request) -> Iterator[Request]:
    return itertools.repeat(one)
