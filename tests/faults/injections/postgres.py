"""PostgreSQL as seen by its clients: silent, crashed, without room for one more connection."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from functools import partial

import asyncpg

from tests.faults.fault import Site
from tests.faults.injections.processes import REPLACED_WITHIN, is_replaced
from tests.support.waiting import eventually

HELD_S, AT_ONCE = 8.0, 25
_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


async def crash(site: Site) -> None:
    """As `pg_ctl stop -m immediate`: no checkpoint, so that the next start has to recover."""
    pid = site.mesh.pid("postgres")
    os.kill(pid, signal.SIGQUIT)
    await eventually(partial(is_replaced, site.mesh, "postgres", pid), within=REPLACED_WITHIN)


async def take_all_connections(site: Site) -> None:
    """Ends everybody's, and holds every slot before they can come back."""
    async with AsyncExitStack() as held:
        first = await held.enter_async_context(site.mesh.database("gateway"))
        slots = int(await first.fetchval("SHOW max_connections"))
        await first.execute(_OTHERS)
        ends = asyncio.get_running_loop().time() + HELD_S
        taken = 1
        while asyncio.get_running_loop().time() < ends:
            took = await asyncio.gather(*(_take_one(site, held) for _ in range(AT_ONCE)))
            taken += sum(took)
            if not all(took):
                # Some slots were somebody's again: theirs too.
                await first.execute(_OTHERS + " AND usename <> 'postgres'")
        assert taken > slots / 2, f"only {taken} of {slots} connections were taken"


async def _take_one(site: Site, held: AsyncExitStack) -> bool:
    try:
        await held.enter_async_context(site.mesh.database("gateway"))
    except (asyncpg.TooManyConnectionsError, TimeoutError):
        return False
    return True
