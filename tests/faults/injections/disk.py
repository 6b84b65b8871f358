"""Disks that are full: a volume of its own for each store, without room for one more page."""

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.fault import Site

FULL_S, PAUSE_S = 10.0, 0.2
SIZE = 4 * 2**30


@contextmanager
def volume(at: Path) -> Iterator[Path]:
    """A file system in memory."""
    at.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", str(at)]
    subprocess.run(mount, check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(name: str) -> Callable[[Site], Awaitable[None]]:
    async def strike(site: Site) -> None:
        await keep_full(site.volumes / name)

    return strike


async def keep_full(directory: Path) -> None:
    """No larger than what it holds, also when something of that is deleted."""
    ends, was_full = time.monotonic() + FULL_S, False
    try:
        while time.monotonic() < ends:
            state = os.statvfs(directory)
            _resize(directory, (state.f_blocks - state.f_bfree) * state.f_frsize, check=False)
            was_full |= os.statvfs(directory).f_bavail == 0
            await asyncio.sleep(PAUSE_S)
    finally:
        _resize(directory, SIZE)
    assert was_full, f"{directory} was never full"


def _resize(directory: Path, size: int, *, check: bool = True) -> None:
    """The kernel refuses less than what is there, which may have become more meanwhile."""
    options = f"remount,size={size}"
    subprocess.run(["mount", "-o", options, str(directory)], check=check, capture_output=True)
