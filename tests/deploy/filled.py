"""A small database of the dossiers that `make bench` measures with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from deploy.bench.data_set import TABLES, fill
from deploy.bench.dossiers import country
from deploy.postgres import plain_url
from dossier_service.settings import Settings as DossierSettings
from sync_service.settings import Settings as SyncSettings

SIZE = 3_000
SHAPE = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    UNION ALL SELECT indexname, indexdef FROM pg_indexes ORDER BY 1, 2
"""


@asynccontextmanager
async def filled_database(
    service: str, settings: SyncSettings | DossierSettings
) -> AsyncIterator[asyncpg.Connection]:
    """Fill the database with `SIZE` dossiers; yield a connection of its superuser."""
    url = settings.database.set(username="postgres").render_as_string()
    connection = await asyncpg.connect(plain_url(url))
    try:
        if service == "dossier_service":
            await publish_procedures(connection)
        before = await connection.fetch(SHAPE)
        await fill(connection, service, SIZE)
        assert await connection.fetch(SHAPE) == before
        for table in TABLES[service]:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0, table
        yield connection
    finally:
        await connection.close()


async def publish_procedures(connection: asyncpg.Connection) -> None:
    await connection.executemany(
        "INSERT INTO procedure_version VALUES ($1, 1, now(), '', '{}') ON CONFLICT DO NOTHING",
        [(code,) for code in country().procedures],
    )
