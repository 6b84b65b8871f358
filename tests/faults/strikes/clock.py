"""A clock that is set while a process runs: libfaketime, told by a file of that process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tests.faults.fault import Site

STEPPED_SECONDS = 10.0
LIBRARY = "*/faketime/libfaketime.so.1"
REAL = "+0"


def lacks_libfaketime() -> str:
    return "" if _libraries() else "needs libfaketime (Debian: faketime)"


def _libraries() -> list[Path]:
    return list(Path("/usr/lib").glob(LIBRARY))


def environment(file: Path) -> Mapping[str, str]:
    """Of a process whose clock `file` sets; only the wall clock, as NTP or an operator would."""
    file.write_text(REAL)
    return {
        "LD_PRELOAD": str(_libraries()[0]),
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
            await asyncio.sleep(STEPPED_SECONDS)
        finally:
            file.write_text(REAL)

    return strike
