"""The dossiers that lists and growth are measured with: the same each time, and consistent."""

import asyncpg
import numpy as np
import pytest
from pydantic import SecretStr

from deploy.bench.data_set import TABLES, fill
from deploy.bench.dossiers import DAYS, NONE, country, dossiers, end_of_time
from deploy.bench.sync import DAILY, ROWS, row
from deploy.postgres import plain_url
from dossier_service.settings import Settings as DossierSettings
from shared.database import open_database
from shared.events.codes import ENDED, parse_dossier_code
from shared.migrations import upgrade
from sync_service.recount import differences
from sync_service.schemas import DossierRow
from sync_service.settings import Settings as SyncSettings
from tests.conftest import Databases

SIZE = 3_000


def test_same_size_and_seed_give_the_same_dossiers() -> None:
    one, other, third = dossiers(SIZE), dossiers(SIZE), dossiers(SIZE, seed=1)
    for name, column in one.columns().items():
        assert np.array_equal(column, other.columns()[name]), name
    assert not np.array_equal(one.filed_at, third.filed_at)


def test_course_of_each_dossier_is_in_order() -> None:
    made = dossiers(SIZE)
    received = made.received_at != NONE
    ended = made.ended_at != NONE
    assert np.all(made.received_at[received] >= made.filed_at[received])
    assert np.all(made.ended_at[ended] >= made.filed_at[ended])
    assert np.array_equal(ended, np.isin(made.status, [*ENDED]))
    assert np.all(made.ended_at[ended] <= end_of_time())
    asked = made.requested_at != NONE
    assert np.all(made.requested_at[asked] > made.received_at[asked])


def test_distribution_is_that_of_a_country() -> None:
    made, of = dossiers(20_000), country()
    provinces = {of.agencies[place].code.split(".")[0] for place in set(made.received_by.tolist())}
    assert len(provinces) == 34
    assert len(of.procedures) >= 28
    assert np.ptp(made.day) == DAYS - 1
    in_time = made.ended_at[made.ended_at != NONE] <= made.due_at[made.ended_at != NONE]
    assert 0.75 < in_time.mean() < 0.95
    assert set(made.status.tolist()) == set(range(1, 11))


def test_serials_count_from_one_for_each_agency_and_day() -> None:
    made = dossiers(SIZE)
    seen: dict[tuple[int, int], int] = {}
    for agency, day, serial in zip(made.received_by, made.day, made.serial, strict=True):
        seen[agency, day] = seen.get((agency, day), 0) + 1
        assert serial == seen[agency, day]


async def test_national_view_and_tallies_agree_with_a_recount(postgres: Databases) -> None:
    url = postgres.database_url("sync_service")
    settings = SyncSettings(database_url=url, kafka_servers="none")
    await _migrate_and_fill("sync_service", settings, url, postgres)
    async with open_database(settings) as sessions, sessions() as session:
        cells, wrong = await differences(session)
    assert cells > SIZE
    assert wrong == []


async def test_lists_and_histories_agree_with_the_dossiers(postgres: Databases) -> None:
    url = postgres.database_url("dossier_service")
    settings = DossierSettings(
        database_url=url, kafka_servers="none", person_hash_key=SecretStr("00" * 32)
    )
    connection = await _migrate_and_fill("dossier_service", settings, url, postgres)
    try:
        assert await connection.fetchval("SELECT count(*) FROM dossier") == SIZE
        differing = await connection.fetchval("""
            SELECT count(*) FROM dossier JOIN dossier_party AS party ON party.dossier = code
            WHERE (dossier.status, dossier.filed_at, dossier.procedure)
                    <> (party.status, party.filed_at, party.procedure)
                OR party.finished_at IS DISTINCT FROM dossier.finished_at""")
        unlisted = await connection.fetchval("""
            SELECT count(*) FROM dossier CROSS JOIN LATERAL unnest(ARRAY['', received_by,
                decided_by, split_part(received_by, '.', 1)]) AS named
            WHERE NOT EXISTS (SELECT FROM dossier_party WHERE dossier = code AND agency = named)""")
        misled = await connection.fetchval("""
            SELECT count(*) FROM dossier LEFT JOIN dossier_step AS step
                ON step.dossier = code AND step.version = dossier.version
            WHERE step.to_status IS DISTINCT FROM dossier.status
                OR step.from_status IS DISTINCT FROM dossier.previous_status""")
        assert (differing, unlisted, misled) == (0, 0, 0)
        for code in await connection.fetch("SELECT code FROM dossier LIMIT 50"):
            parse_dossier_code(code["code"])
    finally:
        await connection.close()


@pytest.mark.parametrize("status", [2, 4, 9])
def test_pushed_rows_are_good_ones_and_all_of_different_dossiers(status: int) -> None:
    rows = [row(number, status) for number in range(DAILY - ROWS, DAILY + ROWS)]
    codes = {DossierRow.model_validate(each).code for each in rows}
    assert len(codes) == len(rows)


async def _migrate_and_fill(
    service: str, settings: SyncSettings | DossierSettings, url: str, postgres: Databases
) -> asyncpg.Connection:
    """As the superuser of the database, to which the tables do not belong."""
    upgrade(settings)
    role = url.split("//")[1].split("@", maxsplit=1)[0]
    connection = await asyncpg.connect(plain_url(url.replace(f"//{role}@", "//postgres@")))
    if service == "dossier_service":
        await _publish(connection)
    constraints = await connection.fetchval("SELECT count(*) FROM pg_constraint")
    indexes = await connection.fetchval("SELECT count(*) FROM pg_indexes")
    await fill(connection, service, SIZE)
    assert await connection.fetchval("SELECT count(*) FROM pg_constraint") == constraints
    assert await connection.fetchval("SELECT count(*) FROM pg_indexes") == indexes
    for table in TABLES[service]:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") > 0, table
    return connection


async def _publish(connection: asyncpg.Connection) -> None:
    await connection.executemany(
        "INSERT INTO procedure_version VALUES ($1, 1, now(), '', '{}')",
        [(code,) for code in country().procedures],
    )
