"""Fills the databases of dossier_service and sync_service with the same dossiers.

The columns of numbers go in by COPY; the database makes its rows of them, table by table, without
indexes, which are made again at the end with every constraint checked.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain

import asyncpg
import numpy as np

from deploy.bench import dossier_tables, national_tables
from deploy.bench.dossiers import NONE, Country, Dossiers, country, dossiers
from sync_service.tallies import parts

TABLES: Mapping[str, Mapping[str, str]] = {
    "dossier_service": dossier_tables.ROWS,
    "sync_service": national_tables.ROWS,
}
CHUNK = 100_000
STATEMENT_SECONDS = 600.0
SETTINGS = (
    "work_mem = '512MB'",
    "maintenance_work_mem = '1GB'",
    "synchronous_commit = off",
    "jit = off",
)


async def fill(connection: asyncpg.Connection, service: str, size: int) -> None:
    """The empty, migrated database of a service, as its owner."""
    for setting in SETTINGS:
        await connection.execute(f"SET {setting}")
    rows = TABLES[service]
    made = dossiers(size)
    async with connection.transaction(), _without_indexes(connection, list(rows)):
        await _copy_facts(connection, made, country())
        await connection.execute(dossier_tables.COURSE, timeout=STATEMENT_SECONDS)
        if "tally" in rows:
            await _copy_seats(connection)
        for statement in rows.values():
            await connection.execute(statement, timeout=STATEMENT_SECONDS)
        await connection.execute("DROP TABLE course, fact, place; DROP TABLE IF EXISTS seat")
    await connection.execute("VACUUM ANALYZE", timeout=STATEMENT_SECONDS)


async def _copy_facts(connection: asyncpg.Connection, made: Dossiers, of: Country) -> None:
    await connection.execute(
        "CREATE UNLOGGED TABLE place (place bigint, code varchar, name varchar, level varchar,"
        " valid_from date);"
        "CREATE UNLOGGED TABLE procedure_place (place bigint, code varchar)"
    )
    places = [
        (place, each.code, each.name, each.level, each.valid_from)
        for place, each in enumerate(of.agencies)
    ]
    await connection.copy_records_to_table("place", records=places)
    await connection.copy_records_to_table("procedure_place", records=enumerate(of.procedures))
    columns = {"number": np.arange(len(made.day)), **made.columns()}
    await connection.execute(
        f"CREATE UNLOGGED TABLE number_fact ({', '.join(f'{name} bigint' for name in columns)})"
    )
    for begin in range(0, len(made.day), CHUNK):
        await connection.copy_records_to_table(
            "number_fact", records=_rows(list(columns.values()), begin), timeout=STATEMENT_SECONDS
        )
    await connection.execute(_NAMED, timeout=STATEMENT_SECONDS)
    await connection.execute("DROP TABLE number_fact, procedure_place")


def _rows(columns: Sequence["np.ndarray"], begin: int) -> Iterable[tuple[int | None, ...]]:
    lists = (column[begin : begin + CHUNK].tolist() for column in columns)
    return zip(*([None if one == NONE else one for one in each] for each in lists), strict=True)


_NAMED = """
    CREATE UNLOGGED TABLE fact AS
    SELECT received.code || to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', '-YYMMDD-')
            || lpad(serial::text, 4, '0') AS code,
        asked.code AS procedure, channel::smallint, status::smallint, helped.code AS helped_by,
        received.code AS received_by, decided.code AS decided_by, filed_at, received_at, due_at,
        ended_at, requested_at, number
    FROM number_fact
        JOIN procedure_place AS asked ON asked.place = procedure
        JOIN place AS received ON received.place = received_by
        JOIN place AS decided ON decided.place = decided_by
        LEFT JOIN place AS helped ON helped.place = helped_by
"""


async def _copy_seats(connection: asyncpg.Connection) -> None:
    """In whose tallies each pair of a receiving and a deciding agency stands."""
    pairs = await connection.fetch("SELECT DISTINCT received_by, decided_by FROM course")
    await connection.execute(
        "CREATE UNLOGGED TABLE seat (received_by varchar, decided_by varchar, agency varchar,"
        " part smallint)"
    )
    seats = (
        [
            (received, decided, agency, part.value)
            for agency, part in parts(received, decided).items()
        ]
        for received, decided in pairs
    )
    await connection.copy_records_to_table("seat", records=chain.from_iterable(seats))


@asynccontextmanager
async def _without_indexes(
    connection: asyncpg.Connection, tables: Sequence[str]
) -> AsyncIterator[None]:
    """Drops indexes and constraints of these tables, and makes them again."""
    constraints = await connection.fetch(_CONSTRAINTS, tables)
    for row in reversed(constraints):
        await connection.execute(f'ALTER TABLE {row["table"]} DROP CONSTRAINT "{row["name"]}"')
    indexes = await connection.fetch(_INDEXES, tables)
    for row in indexes:
        await connection.execute(f'DROP INDEX "{row["name"]}"')
    yield
    for row in indexes:
        await connection.execute(row["definition"], timeout=STATEMENT_SECONDS)
    for row in constraints:
        await connection.execute(
            f'ALTER TABLE {row["table"]} ADD CONSTRAINT "{row["name"]}" {row["definition"]}',
            timeout=STATEMENT_SECONDS,
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
