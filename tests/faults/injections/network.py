"""Cuts between parts of the mesh: packets vanish, so that nobody is told (DROP, no refusal)."""

import asyncio
import re
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tests.faults.fault import Site
from tests.faults.isolation import lacks_isolation
from tests.support.tools import NFT

TABLE = "inet faults"


def lacks_nft() -> str:
    return lacks_isolation() or NFT.lack()


def cut(port: Callable[[Site], int], seconds: float) -> Callable[[Site], Awaitable[None]]:
    """Nothing reaches that port of the loopback, and nothing comes back from it."""

    async def strike(site: Site) -> None:
        with dropped(port(site)):
            await asyncio.sleep(seconds)
            assert _packets_dropped(), f"nothing was sent to or from port {port(site)}"

    return strike


@contextmanager
def dropped(port: int) -> Iterator[None]:
    try:
        _nft(
            f"add table {TABLE}",
            f"add chain {TABLE} cut {{ type filter hook input priority 0; }}",
            f"add rule {TABLE} cut iif lo tcp dport {port} counter drop",
            f"add rule {TABLE} cut iif lo tcp sport {port} counter drop",
        )
        yield
    finally:
        _nft(f"add table {TABLE}", f"delete table {TABLE}")


def _packets_dropped() -> int:
    chain = _nft(f"list chain {TABLE} cut")
    return sum(map(int, re.findall(r"packets (\d+)", chain)))


def _nft(*commands: str) -> str:
    return subprocess.run(
        ["nft", "-f", "-"], input="\n".join(commands), text=True, check=True, stdout=subprocess.PIPE
    ).stdout
