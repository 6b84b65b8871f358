"""`make bench`: measures the running stack with everything on, and says the aims beside."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping

import uvloop

from deploy.bench import proxies, writes
from deploy.bench.figures import Figure, print_table, remember
from deploy.bench.mesh import Mesh

Part = Callable[[Mesh], Awaitable[list[Figure]]]

PARTS: Mapping[str, Part] = {
    "proxies": proxies.measure,
    "verifications": writes.verifications,
    "filings": writes.filings,
    "visibility": writes.visibility,
    "people": writes.people,
}


async def main() -> None:
    wished = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(PARTS)
    if unknown := set(wished) - PARTS.keys():
        sys.exit(f"ONLY: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    figures: list[Figure] = []
    for name in wished:
        print(f"measuring {name} …", flush=True)
        figures += await PARTS[name](Mesh())
    print_table(figures)
    remember(figures)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
