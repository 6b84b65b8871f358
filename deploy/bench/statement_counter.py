"""Counts the SQL statements that reach a database, in the log of its server."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import asyncpg

from deploy.bench.load import Request, saturate
from deploy.bench.mesh import Mesh
from deploy.postgres import plain_url
from deploy.services import SERVICES

COUNTED_WRITES = 10

# What every transaction needs is no question to the data.
_STATEMENT = re.compile(
    r"^(\S+) (\d+) LOG:  (?:execute [^:]+|statement): (?!BEGIN|COMMIT|ROLLBACK)(.*)", re.MULTILINE
)


@dataclass
class Counted:
    """`log` is what the server wrote meanwhile; whole when the counting has ended."""

    log: str = ""

    def of(self, database: str, session_with: str = "") -> int:
        """In all sessions of the database, or in those that sent a statement with these words."""
        found = [match for match in _STATEMENT.finditer(self.log) if match[1] == database]
        sessions = {match[2] for match in found if session_with in match[3]}
        return sum(match[2] in sessions for match in found)


@asynccontextmanager
async def counted(url: str, log: Path) -> AsyncIterator[Counted]:
    """`url` is that of the superuser; every session takes part, also one that is long open."""
    connection = await asyncpg.connect(plain_url(url))
    try:
        await connection.execute("ALTER SYSTEM SET log_line_prefix = '%d %p '")
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await _reload(connection)
        found = Counted()
        with log.open("rb") as lines:
            lines.seek(0, os.SEEK_END)
            yield found
            found.log = lines.read().decode()
    finally:
        await connection.execute("ALTER SYSTEM RESET ALL")
        await _reload(connection)
        await connection.close()


async def statements_of(mesh: Mesh, requests: Iterator[Request]) -> float:
    """Of one write of dossier_service; the relay, in another session, has its own."""
    stack = mesh.stack
    async with counted(stack.admin_url, stack.log("postgres")) as statements:
        for sent in islice(requests, COUNTED_WRITES):
            load = await saturate(mesh.address, iter([sent]), connections=1, seconds=60, warm_up=0)
            load.require_success()
    database = SERVICES["dossier_service"].database
    # Only what answers a write looks at its key.
    return statements.of(database, session_with="idempotency_key") / COUNTED_WRITES


async def _reload(connection: asyncpg.Connection) -> None:
    """Sessions look at it before their next statement; the server needs a moment to tell them."""
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("SELECT pg_sleep(0.3)")
