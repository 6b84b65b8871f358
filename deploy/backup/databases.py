"""Dump the databases of all services as of one moment, and load them into empty ones."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from deploy.postgres import as_superuser, plain_url, postgres_program
from deploy.run_sync import run_apart
from deploy.services import SERVICES, Service


@dataclass(frozen=True)
class Dumped:
    """The version of the server, and the newest migration of each database by its service."""

    postgres: str
    revisions: Mapping[str, str]


def dump_databases(admin_url: str, folder: Path) -> Dumped:
    """Write `<database>.dump` of each service, in the form of pg_restore."""

    async def dump() -> Dumped:
        async with _hold_snapshots(admin_url) as (snapshots, dumped):
            for service in SERVICES.values():
                options = [f"--snapshot={snapshots[service.name]}", "--format=custom"]
                output = f"--file={folder / service.database}.dump"
                await _run_program(admin_url, service, "pg_dump", *options, output)
        return dumped

    return run_apart(dump())


def load_databases(admin_url: str, folder: Path) -> None:
    """Load the dumps into the databases, which are there and empty."""

    async def load() -> None:
        for service in SERVICES.values():
            dump = str(folder / f"{service.database}.dump")
            await _run_program(admin_url, service, "pg_restore", "--exit-on-error", dump)

    run_apart(load())


@asynccontextmanager
async def _hold_snapshots(admin_url: str) -> AsyncIterator[tuple[Mapping[str, str], Dumped]]:
    """Open a snapshot of each database, milliseconds apart, the reader of events before its source.

    So no database has an event that its source does not have.
    """
    snapshots, revisions, version = {}, {}, ""
    async with AsyncExitStack() as stack:
        connections: dict[str, asyncpg.Connection] = {
            service.name: await stack.enter_async_context(as_superuser(admin_url, service.database))
            for service in reversed([*SERVICES.values()])
        }
        for name, connection in connections.items():
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshots[name] = await connection.fetchval("SELECT pg_export_snapshot()")
        for name, connection in connections.items():
            query = "SELECT version_num FROM alembic_version"
            revisions[name] = await connection.fetchval(query)
            version = await connection.fetchval("SHOW server_version")
        yield snapshots, Dumped(version, revisions)


async def _run_program(admin_url: str, service: Service, name: str, *options: str) -> None:
    """Run a program of PostgreSQL on the database; raise CalledProcessError with its words."""
    url = make_url(plain_url(admin_url)).set(database=service.database)
    database = f"--dbname={url.render_as_string(hide_password=False)}"
    command = [str(postgres_program(name)), database, *options]
    await asyncio.to_thread(subprocess.run, command, check=True, stderr=subprocess.PIPE, text=True)
