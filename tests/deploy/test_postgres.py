from pathlib import Path

import asyncpg
import pytest

from deploy.postgres import (
    SOCKET_PATH_BYTES,
    EmbeddedPostgres,
    make_databases,
    plain_url,
    service_url,
)
from deploy.process import Child, running
from deploy.services import SERVICES
from tests.conftest import Databases


async def test_service_reaches_its_own_database_only(postgres: Databases) -> None:
    own = service_url(postgres.server.url, SERVICES["sync_service"])
    connection = await asyncpg.connect(plain_url(own))
    assert await connection.fetchval("SELECT current_user || ' in ' || current_database()") == (
        "sync_service in sync"
    )
    await connection.execute("CREATE TABLE kept (id int)")
    await connection.close()

    foreign = service_url(postgres.server.url, SERVICES["sync_service"], "dossier")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(plain_url(foreign))


async def test_making_the_databases_again_keeps_what_is_in_them(postgres: Databases) -> None:
    url = plain_url(service_url(postgres.server.url, SERVICES["gateway"]))
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
    make_databases(postgres.server.url, {"gateway": "it's \\ new"})
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    await connection.close()


async def test_each_test_gets_an_empty_database(postgres: Databases) -> None:
    first, second = (postgres.database_url("dossier_service") for _ in range(2))
    assert first != second
    connection = await asyncpg.connect(plain_url(first))
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert await connection.fetchval(tables) == 0
    await connection.close()


async def test_each_migrated_database_has_the_tables_and_no_row_of_another(
    postgres: Databases,
) -> None:
    for _ in range(2):
        connection = await asyncpg.connect(plain_url(postgres.migrated_url("dossier_service")))
        assert await connection.fetchval("SELECT count(*) FROM timer") == 0
        await connection.execute("INSERT INTO timer VALUES ('act', now())")
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert await connection.fetchval(owners) == SERVICES["dossier_service"].role
        await connection.close()


async def test_a_folder_too_deep_for_a_socket_works_and_keeps_its_data(tmp_path: Path) -> None:
    folder = tmp_path / ("sâu" * 20) / "data"
    folder.parent.mkdir()
    assert len(bytes(folder)) > SOCKET_PATH_BYTES
    for statement in ("CREATE TABLE kept (id int)", "SELECT id FROM kept"):
        server = EmbeddedPostgres(folder, log=tmp_path / "postgres.log", durable=False)
        with running(server):
            connection = await asyncpg.connect(server.url)
            await connection.execute(statement)
            await connection.close()
    assert list(server.socket_directory.iterdir()) == []
    server.socket_directory.rmdir()


async def test_log_of_the_server_does_not_repeat_a_row_that_it_refused(
    postgres: Databases,
) -> None:
    log, row = postgres.server.log, "a number of a person"
    connection = await asyncpg.connect(plain_url(postgres.database_url("dossier_service")))
    await connection.execute("CREATE TABLE person (number text PRIMARY KEY)")
    await connection.execute("INSERT INTO person VALUES ($1)", row)
    before = log.stat().st_size
    with pytest.raises(asyncpg.UniqueViolationError, match="person_pkey"):
        await connection.execute("INSERT INTO person VALUES ($1)", row)
    await connection.close()
    told = log.read_bytes()[before:].decode()
    assert "person_pkey" in told
    assert row not in told


def test_password_stays_out_of_a_services_url() -> None:
    url = service_url("postgresql://admin:secret@db.example:6432/postgres", SERVICES["gateway"])
    assert url == "postgresql+asyncpg://gateway@db.example:6432/gateway"


async def test_server_whose_pid_file_is_not_yet_written_is_not_ready(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, log=tmp_path / "log")
    server.child = Child("sleep", ["sleep", "60"], log=tmp_path / "log", cwd=tmp_path)
    (tmp_path / "postmaster.pid").touch()
    with running(server.child):
        assert not server._accepts()
