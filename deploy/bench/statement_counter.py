"""Count the SQL statements that reach a database, in the log of its server."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import asyncpg

from deploy.bench.load import LoadRequest, saturate
from deploy.bench.mesh import Mesh
from deploy.postgres import plain_url
from deploy.services import SERVICES

COUNTED_WRITES = 10

# The statements that every transaction needs do not query data.
_STATEMENT = re.compile(
    r"^(\S+) (\d+) LOG:  (?:execute [^:]+|statement): (?!BEGIN|COMMIT|ROLLBACK)(.*)", re.MULTILINE
)


@dataclass
class CountedStatements:
    """`log` has the lines of the server meanwhile; it is complete when the counting has ended."""

    log: str = ""

    def of(self, database: str, session_with: str = "") -> int:
        """Count all sessions of the database, or those that sent a statement with these words."""
        found = [match for match in _STATEMENT.finditer(self.log) if match[1] == database]
        sessions = {match[2] for match in found if session_with in match[3]}
        return sum(match[2] in sessions for match in found)


@asynccontextmanager
async def counting_statements(url: str, log: Path) -> AsyncIterator[CountedStatements]:
    """Count in every session, also an open one; `url` is that of the superuser."""
    connection = await asyncpg.connect(plain_url(url))
    try:
        await connection.execute("ALTER SYSTEM SET log_line_prefix = '%d %p '")
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await _reload(connection)
        found = CountedStatements()
        with log.open("rb") as lines:
            lines.seek(0, os.SEEK_END)
            yield found
            found.log = lines.read().decode()
    finally:
        await connection.execute("ALTER SYSTEM RESET ALL")
        await _reload(connection)
        await connection.close()


async def count_statements(mesh: Mesh, requests: Iterator[LoadRequest]) -> float:
    """Return the statements of one write of dossier_service, without those of the relay."""
    stack = mesh.stack
    async with counting_statements(stack.admin_url, stack.log("postgres")) as statements:
        for sent in islice(requests, COUNTED_WRITES):
            load = await saturate(mesh.address, iter([sent]), connections=1, seconds=60, warm_up=0)
            load.require_success()
    database = SERVICES["dossier_service"].database
    # Only the session that answers a write reads its key.
    return statements.of(database, session_with="idempotency_key") / COUNTED_WRITES


async def _reload(connection: asyncpg.Connection) -> None:
    """Reload the settings, and wait until the server has signalled all sessions."""
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("SELECT pg_sleep(0.3)")
