"""A clock that is set while a process runs: libfaketime, told by a file of that process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp

from tests.faults.fault import Seen, Site
from tests.support.tools import FAKETIME, find_libfaketime

STEPPED_S = 6.0
REAL = "+0"
# Its server never turns back the Date that it keeps: what it makes of tokens shows its clock.
GATEWAY = "gateway-serve"


def lacks_libfaketime() -> str:
    return FAKETIME.lack()


def environment(file: Path) -> Mapping[str, str]:
    """Of a process whose clock `file` sets; only the wall clock, as NTP or an operator would."""
    file.write_text(REAL)
    return {
        "LD_PRELOAD": str(find_libfaketime()[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def file_of(directory: Path, process: str) -> Path:
    return directory / f"clock-{process}"


def step(process: str, minutes: int) -> Callable[[Site], Awaitable[None]]:
    async def strike(site: Site) -> None:
        file = file_of(site.mesh.directory, process)
        try:
            file.write_text(f"{minutes:+}m")
            await asyncio.sleep(STEPPED_S)
            if process != GATEWAY:
                shown = await _minutes_ahead(site.mesh.port_of(process))
                assert round(shown) == minutes, f"{process} was {shown:.1f} minutes ahead"
        finally:
            file.write_text(REAL)

    return strike


def tokens_were_refused(seen: Seen) -> Iterable[str]:
    """As none is good for ten minutes, and none before its time."""
    answers = {each.status for each in seen.journal.begun_within(seen.began, seen.ended)}
    return () if HTTPStatus.UNAUTHORIZED in answers else ("no token was refused",)


async def _minutes_ahead(port: int) -> float:
    """Of this process, by the Date that whoever serves there puts on its answers."""
    url = f"http://127.0.0.1:{port}/healthz"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        shown = parsedate_to_datetime(answer.headers["Date"])
    return (shown - datetime.now(UTC)).total_seconds() / 60
