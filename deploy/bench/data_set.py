"""Fill the databases of dossier_service and sync_service with the same dossiers.

The columns of numbers go in by COPY, chunk after chunk; the database makes its rows of them, table
by table, without indexes, which are made again at the end with every constraint checked.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain

import asyncpg

from deploy.bench import binary_copy, dossier_tables, national_tables
from deploy.bench.dossiers import Dossiers, country, dossiers
from deploy.bench.sql_setup import COURSE, PARTY
from sync_service.indicators.counters import agency_roles

TABLES: Mapping[str, Mapping[str, str]] = {
    "dossier_service": dossier_tables.ROWS,
    "sync_service": national_tables.ROWS,
}
STATEMENT_S = 1800.0  # ten million dossiers have single ones that take minutes
SETTINGS = (
    "work_mem = '512MB'",
    # Indexes are sorted in pieces that fit into the processor's caches: faster than all at once.
    "maintenance_work_mem = '8MB'",
    # The other database is filled on the other core.
    "max_parallel_workers_per_gather = 0",
    "max_parallel_maintenance_workers = 0",
    "synchronous_commit = off",
    "jit = off",
)


async def fill(connection: asyncpg.Connection, service: str, size: int) -> None:
    """Fill the migrated database of a service as the superuser; the old rows go first."""
    for setting in SETTINGS:
        await connection.execute(f"SET {setting}")
    rows = TABLES[service]
    async with connection.transaction(), _empty_tables(connection, list(rows)):
        await _copy_places(connection)
        await _copy_facts(connection, dossiers(size))
        await _copy_seats(connection)
        for statement in (COURSE, PARTY, *rows.values()):
            await connection.execute(statement, timeout=STATEMENT_S)
    await connection.execute(f"VACUUM ANALYZE {', '.join(rows)}", timeout=STATEMENT_S)


async def _copy_places(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "CREATE TEMP TABLE place (place bigint, code varchar, name varchar, level varchar,"
        " valid_from date) ON COMMIT DROP;"
        "CREATE TEMP TABLE asked (place bigint, code varchar) ON COMMIT DROP"
    )
    of = country()
    places = [
        (place, each.code, each.name, each.level, each.valid_from)
        for place, each in enumerate(of.agencies)
    ]
    await connection.copy_records_to_table("place", records=places)
    await connection.copy_records_to_table("asked", records=enumerate(of.procedures))


async def _copy_facts(connection: asyncpg.Connection, made: Iterator[Dossiers]) -> None:
    first = next(made)
    columns = ", ".join(f"{name} bigint" for name in first.columns())
    await connection.execute(f"CREATE TEMP TABLE fact ({columns}) ON COMMIT DROP")

    async def sent() -> AsyncIterator[bytes]:
        yield binary_copy.BEGIN
        for chunk in chain([first], made):
            yield binary_copy.rows(chunk.columns())
        yield binary_copy.END

    await connection.copy_to_table("fact", source=sent(), format="binary", timeout=STATEMENT_S)
    await connection.execute("ANALYZE fact")


async def _copy_seats(connection: asyncpg.Connection) -> None:
    """Write the agencies whose counters each pair of a receiving and a deciding agency changes."""
    await connection.execute(
        "CREATE TEMP TABLE seat (receiving bigint, deciding bigint, agency varchar, part smallint)"
        " ON COMMIT DROP"
    )
    pairs = await connection.fetch("SELECT DISTINCT received_by, decided_by FROM fact")
    await connection.copy_records_to_table("seat", records=_list_seats(pairs))
    await connection.execute("ANALYZE seat")


def _list_seats(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, str, int]]:
    agencies = country().agencies
    for receiving, deciding in pairs:
        found = agency_roles(agencies[receiving].code, agencies[deciding].code)
        for agency, part in found.items():
            yield receiving, deciding, agency, part.value


@asynccontextmanager
async def _empty_tables(
    connection: asyncpg.Connection, tables: Sequence[str]
) -> AsyncIterator[None]:
    """Take the rows, indexes and constraints away, and make the last two again at the end.

    Tables emptied by the transaction that fills them need no log where `wal_level` is minimal.
    """
    constraints = await connection.fetch(_CONSTRAINTS, tables)
    for row in reversed(constraints):
        await connection.execute(f'ALTER TABLE {row["table"]} DROP CONSTRAINT "{row["name"]}"')
    indexes = await connection.fetch(_INDEXES, tables)
    for row in indexes:
        await connection.execute(f'DROP INDEX "{row["name"]}"')
    await connection.execute(f"TRUNCATE {', '.join(tables)}")
    yield
    for row in indexes:
        await connection.execute(row["definition"], timeout=STATEMENT_S)
    for row in constraints:
        await connection.execute(
            f'ALTER TABLE {row["table"]} ADD CONSTRAINT "{row["name"]}" {row["definition"]}',
            timeout=STATEMENT_S,
        )


# Primary keys before the foreign keys that need them.
_CONSTRAINTS = """
    SELECT conrelid::regclass::text AS table, conname AS name,
        pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype IN ('p', 'u', 'f')
        AND (conrelid::regclass::text = ANY($1) OR confrelid::regclass::text = ANY($1))
    ORDER BY position(contype::text IN 'puf'), conname
"""
_INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index WHERE indrelid::regclass::text = ANY($1)
"""
