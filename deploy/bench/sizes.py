"""The databases of known sizes, on a PostgreSQL of their own, and services that answer from them.

They are kept between runs: `make clean` removes them. One is made anew when it was not finished,
when the code that makes it has changed, or when the writes of many runs have made it grow.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.bench import binary_copy, data_set, dossier_tables, dossiers, national_tables
from deploy.bench import sql_setup as course
from deploy.bench.mesh import run_as
from deploy.bench.paths import DATA
from deploy.bench.processes import Server, service
from deploy.postgres import (
    EmbeddedPostgres,
    as_superuser,
    make_database,
    make_databases,
    service_url,
)
from deploy.process import running
from deploy.run_sync import run_apart
from deploy.services import SERVICES

LARGEST = 1_000_000
MAX_GROWTH = 1.05
SIZED = {"dossier_service": "dossier", "sync_service": "national_dossier"}


def sizes() -> tuple[int, ...]:
    """Return the sizes; DOSSIERS makes all of them smaller, for a trial, or larger."""
    largest = int(os.environ.get("DOSSIERS") or LARGEST)
    return largest // 100, largest // 10, largest


@dataclass(frozen=True)
class Sized:
    """A gateway in front of services whose databases hold `size` dossiers."""

    size: int
    gateway: Server
    dossier: Server
    sync: Server


@dataclass(frozen=True)
class DataServer:
    """`made` are the dossiers a second at which each database of this run was filled."""

    server: EmbeddedPostgres
    made: dict[str, dict[int, float]]

    def url(self, service_name: str, size: int) -> str:
        return service_url(
            self.server.url, SERVICES[service_name], database_name(service_name, size)
        )

    @contextmanager
    def serving(self, size: int) -> Iterator[Sized]:
        with ExitStack() as stack:
            behind = {
                name: stack.enter_context(service(name, DATABASE_URL=self.url(name, size)))
                for name in SIZED
            }
            dossier, sync = behind["dossier_service"], behind["sync_service"]
            gateway = stack.enter_context(
                service("gateway", DOSSIER_URL=dossier.url, SYNC_URL=sync.url)
            )
            yield Sized(size, gateway, dossier, sync)


@contextmanager
def data_server(wished: Sequence[int]) -> Iterator[DataServer]:
    """Fill databases of these sizes on a server without durability, then serve them durably."""
    DATA.mkdir(parents=True, exist_ok=True)
    folder, log = DATA / "postgres", DATA / "postgres.log"
    made: dict[str, dict[int, float]] = {name: {} for name in SIZED}
    with running(EmbeddedPostgres(folder, log, durable=False)) as filling:
        make_databases(filling.url, passwords={})
        for size in wished:
            run_apart(_fill_missing(filling, size, made))
    log.unlink()
    with running(EmbeddedPostgres(folder, log)) as server:
        yield DataServer(server, made)


async def _fill_missing(
    server: EmbeddedPostgres, size: int, made: Mapping[str, dict[int, float]]
) -> None:
    """Fill the databases that are missing or outdated, both at the same time."""
    lacking = [name for name in SIZED if not await _is_kept(server, name, size)]
    if not lacking:
        return
    print(f"  making {size:,} dossiers …", flush=True)
    for name in lacking:
        await asyncio.to_thread(_make_empty, server, name, size)
    speeds = await asyncio.gather(*(_fill_database(server, name, size) for name in lacking))
    for name, speed in zip(lacking, speeds, strict=True):
        made[name][size] = speed


async def _is_kept(server: EmbeddedPostgres, name: str, size: int) -> bool:
    """Drop an unfinished, outdated, grown or small database; return whether it stays."""
    database = database_name(name, size)
    async with as_superuser(server.url) as connection:
        comment = await connection.fetchval(_COMMENT, database)
        if comment == _digest_code() and size == max(sizes()):
            async with as_superuser(server.url, database) as inside:
                count = await inside.fetchval(f"SELECT count(*) FROM {SIZED[name]}")  # noqa: S608 -- a table of this module
            if count <= size * MAX_GROWTH:
                return True
        await connection.execute(f"DROP DATABASE IF EXISTS {database} (FORCE)")
    return False


_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1"


def _make_empty(server: EmbeddedPostgres, name: str, size: int) -> None:
    database = database_name(name, size)
    make_database(server.url, database, owner=SERVICES[name].role)
    url = service_url(server.url, SERVICES[name], database)
    run_as(name, "-m", name, "prepare", DATABASE_URL=url, CATALOGUE_FILE="")


async def _fill_database(server: EmbeddedPostgres, name: str, size: int) -> float:
    """Return the dossiers a second."""
    database = database_name(name, size)
    async with as_superuser(server.url, database) as connection:
        started = time.perf_counter()
        await data_set.fill(connection, name, size)
        speed = size / (time.perf_counter() - started)
        await connection.execute(f"COMMENT ON DATABASE {database} IS '{_digest_code()}'")
    return speed


def _digest_code() -> str:
    """Return a digest of the code that fills the databases, and of their migrations."""
    modules = (binary_copy, course, data_set, dossier_tables, dossiers, national_tables)
    files = [Path(str(module.__file__)) for module in modules]
    for name in SIZED:
        files += sorted((Path(__file__).parents[2] / name / "migrations" / "versions").glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def database_name(service_name: str, size: int) -> str:
    return f"{SERVICES[service_name].database}_{size}"
