"""The dossiers that lists and growth are measured with: the same each time, and consistent."""

import asyncpg
import numpy as np
import pytest
from pydantic import SecretStr

from deploy.bench.dossiers import DAYS, NONE, Dossiers, country, dossiers, end_of_time
from deploy.bench.sync import DAILY, ROWS, row
from dossier_service.dossiers.models import Dossier
from dossier_service.settings import Settings as DossierSettings
from shared.codes.dossier import parse_dossier_code
from shared.codes.enums import ENDED, DossierStatus
from shared.database.engine import open_database
from sync_service.indicators.use_cases import verify_counters
from sync_service.intake.schemas import DossierRow
from sync_service.settings import Settings as SyncSettings
from tests.conftest import Databases
from tests.deploy.filled import SIZE, filled_database
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY


def whole(size: int = SIZE, **made: int) -> Dossiers:
    """All chunks as one."""
    chunks = [chunk.columns() for chunk in dossiers(size, **made)]
    return Dossiers(**{name: np.concatenate([each[name] for each in chunks]) for name in chunks[0]})


def test_same_size_and_seed_give_the_same_dossiers() -> None:
    one, other, third = whole(), whole(), whole(seed=1)
    for name, column in one.columns().items():
        assert np.array_equal(column, other.columns()[name]), name
    assert not np.array_equal(one.filed_at, third.filed_at)


def test_more_dossiers_begin_with_the_fewer() -> None:
    fewer, more = whole(2_000, chunk=1_000), whole(SIZE, chunk=1_000)
    for name, column in fewer.columns().items():
        assert np.array_equal(column, more.columns()[name][: len(column)]), name


def test_course_of_each_dossier_is_in_order() -> None:
    made = whole()
    received = made.received_at != NONE
    ended = made.ended_at != NONE
    assert np.all(made.received_at[received] >= made.filed_at[received])
    assert np.all(made.ended_at[ended] >= made.filed_at[ended])
    assert np.array_equal(ended, np.isin(made.status, [*ENDED]))
    assert np.all(made.ended_at[ended] <= end_of_time())
    asked = made.requested_at != NONE
    assert np.all(made.requested_at[asked] > made.received_at[asked])


def test_distribution_is_that_of_a_country() -> None:
    made, of = whole(20_000), country()
    provinces = {of.agencies[place].code.split(".")[0] for place in set(made.received_by.tolist())}
    assert len(provinces) == 34
    assert len(of.procedures) >= 28
    assert np.ptp(made.day) == DAYS - 1
    in_time = made.ended_at[made.ended_at != NONE] <= made.due_at[made.ended_at != NONE]
    assert 0.75 < in_time.mean() < 0.95
    assert set(made.status.tolist()) == set(range(1, 11))


@pytest.mark.parametrize("chunk", [20_000, 6_000])
def test_serials_count_from_one_for_each_agency_and_day(chunk: int) -> None:
    made = whole(20_000, chunk=chunk)
    seen: dict[tuple[int, int], int] = {}
    for agency, day, serial in zip(made.received_by, made.day, made.serial, strict=True):
        seen[agency, day] = seen.get((agency, day), 0) + 1
        assert serial == seen[agency, day]
    assert max(seen.values()) > 1


async def test_national_view_and_counters_agree_with_a_recount(postgres: Databases) -> None:
    url = postgres.migrated_url("sync_service")
    settings = SyncSettings(
        database_url=url,
        kafka_servers="none",
        call_key=CALL_KEY,
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text("sync_service")),
    )
    async with (
        filled_database("sync_service", settings),
        open_database(settings) as sessions,
        sessions() as session,
    ):
        cells, wrong = await verify_counters(session)
    assert cells > SIZE
    assert wrong == []


async def test_parties_of_the_national_view_agree_with_its_dossiers(postgres: Databases) -> None:
    url = postgres.migrated_url("sync_service")
    settings = SyncSettings(
        database_url=url,
        kafka_servers="none",
        call_key=CALL_KEY,
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text("sync_service")),
    )
    async with filled_database("sync_service", settings) as connection:
        kept = "SELECT code, agency FROM {}"
        for table, dossiers_in_it in {
            "national_party": "national_dossier",
            "national_party_pending": "(SELECT * FROM national_dossier WHERE status <> 10) AS open",
        }.items():
            expected = PARTIES.format(dossiers_in_it)
            assert await _differing(connection, kept.format(table), expected) == []


async def test_lists_and_histories_agree_with_the_dossiers(postgres: Databases) -> None:
    url = postgres.migrated_url("dossier_service")
    settings = DossierSettings(
        database_url=url,
        kafka_servers="none",
        call_key=CALL_KEY,
        digest_key=DIGEST_KEY,
        event_key=SecretStr(key_text("dossier_service")),
        person_hash_key=SecretStr("00" * 32),
    )
    async with filled_database("dossier_service", settings) as connection:
        assert await connection.fetchval("SELECT count(*) FROM dossier") == SIZE
        kept = "SELECT dossier, agency FROM dossier_party"
        expected = f"SELECT code, '' FROM dossier UNION ALL {PARTIES.format('dossier')}"
        assert await _differing(connection, kept, expected) == []
        differing = await connection.fetchval("""
            SELECT count(*) FROM dossier JOIN dossier_party AS party ON party.dossier = code
            WHERE (dossier.status, dossier.filed_at, dossier.procedure)
                    <> (party.status, party.filed_at, party.procedure)
                OR party.finished_at IS DISTINCT FROM dossier.finished_at""")
        misled = await connection.fetchval("""
            SELECT count(*) FROM dossier LEFT JOIN dossier_step AS step
                ON step.dossier = code AND step.version = dossier.version
            WHERE step.to_status IS DISTINCT FROM dossier.status
                OR step.from_status IS DISTINCT FROM dossier.previous_status""")
        assert (differing, misled) == (0, 0)
        judged = await connection.fetch("""
            SELECT dossier.*, party.overdue_from FROM dossier JOIN dossier_party AS party
                ON dossier = code AND agency = '' WHERE dossier.finished_at IS NULL""")
        assert judged
        for row in judged:
            columns = {name: row[name] for name in ("due_at", "moved_at", "requests")}
            status = DossierStatus(row["status"])
            assert Dossier(status=status, **columns).overdue_from == row["overdue_from"]
        for code in await connection.fetch("SELECT code FROM dossier LIMIT 50"):
            parse_dossier_code(code["code"])


@pytest.mark.parametrize("status", [2, 4, 9])
def test_pushed_rows_are_good_ones_and_all_of_different_dossiers(status: int) -> None:
    rows = [row(number, status) for number in range(DAILY - ROWS, DAILY + ROWS)]
    codes = {DossierRow.model_validate(each).code for each in rows}
    assert len(codes) == len(rows)


# Each once: who receives, decides and helps, and the agencies above these.
PARTIES = """
    SELECT DISTINCT code, agency
    FROM {} CROSS JOIN unnest(ARRAY[received_by, decided_by, helped_by,
        split_part(received_by, '.', 1), split_part(decided_by, '.', 1),
        split_part(helped_by, '.', 1)]) AS agency
    WHERE agency IS NOT NULL
"""


async def _differing(
    connection: asyncpg.Connection, kept: str, expected: str
) -> list[asyncpg.Record]:
    """Rows of one query that are not as often in the other."""
    found: list[asyncpg.Record] = await connection.fetch(
        f"(({kept}) EXCEPT ALL ({expected})) UNION ALL (({expected}) EXCEPT ALL ({kept}))"
    )
    return found
