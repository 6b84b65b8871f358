"""Look people up in our own register, which stands in for the national population database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from identity_service.persons.matching import Recorded
from identity_service.persons.result import VerificationResult
from identity_service.persons.sources.source import Finding, Inquiry
from identity_service.settings import Settings
from shared.codes.time import utc_now
from shared.database.engine import (
    CONNECT_S,
    POOL_WAIT_S,
    STATEMENT_S,
    connect_driver,
    render_driver_url,
)

_READ = """
    SELECT told, status, name_key, bare_name_key, birth_date, sex, residence_province,
           residence_commune
    FROM person WHERE person = $1
"""


class LocalRegister:
    """Read by asyncpg without SQLAlchemy: this one statement is most of the service's work."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def look_up(self, inquiry: Inquiry) -> Finding:
        person = bytes.fromhex(inquiry.person)
        async with self._pool.acquire(timeout=POOL_WAIT_S) as connection:
            row = await connection.fetchrow(_READ, person)
        now = utc_now()
        if row is None:
            return Finding(now, reported=VerificationResult.NOT_FOUND)
        if row["told"] == VerificationResult.SOURCE_UNAVAILABLE:
            return Finding(now, reported=VerificationResult.SOURCE_UNAVAILABLE)
        state = row["told"] or row["status"]
        return Finding(
            now, Recorded(*tuple(row)[2:]), None if state == "ALIVE" else VerificationResult(state)
        )


async def _skip_reset(_: asyncpg.Connection) -> None:
    """Skip the reset of a released connection: each statement is independent and read-only."""


@asynccontextmanager
async def open_register(settings: Settings) -> AsyncIterator[LocalRegister]:
    # Connections open at first use, so that the service starts during a database outage.
    pool = asyncpg.create_pool(
        render_driver_url(settings.database),
        connect=connect_driver,
        init_size=0,
        min_size=0,
        max_size=settings.database_pool,
        reset=_skip_reset,
        timeout=CONNECT_S,
        command_timeout=STATEMENT_S,
        server_settings={"default_transaction_read_only": "on"},
    )
    async with pool:
        yield LocalRegister(pool)
