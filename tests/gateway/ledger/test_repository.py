"""A right and a filter find the records of an agency in whichever form its code is written.

The records of few agencies are read by a range of an index each, and those of many by time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import combinations
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.postgres import plain_url
from gateway.ledger import repository, use_cases
from gateway.ledger.schemas import RecordFilter
from shared.codes.agency import qcvn_agency_code
from shared.codes.coverage import canonical_code, list_written_agency_codes
from shared.database.engine import open_database
from shared.web.calls.rights import Right
from shared.web.pagination import PageParameters
from tests.gateway.ledger.ledgers import Store
from tests.support.gateway_harness import make_settings

AGENCIES = (
    "G18",
    "G18.04",
    "G18.4",
    "G18.04.07",
    "G18.04.07.005",
    "H26",
    "H26.14",
    "H26.14.00",
    "H26.00.05",
    "H26.00",
    "H26.1",
    "H29",
)
OLDER = tuple(form for code in AGENCIES if (form := qcvn_agency_code(code)) is not None)
WRITTEN = (*AGENCIES, *OLDER, "000.00.4.G18", "not a code")
_INSERT = """
    INSERT INTO access_record (chain, number, index, id, at, agency, client, operation, subjects,
        outcome, record)
    VALUES ('gateway-1', 1, $1, $2, $3, $4, 'client', 'operation', '{}', 'allowed', '')"""


@pytest.fixture
async def recorded(store: Store) -> Store:
    """Keep one record of each written code, and one without an agency."""
    at = datetime(2026, 11, 30, tzinfo=UTC)
    rows = [(index, uuid4(), at, code) for index, code in enumerate([*WRITTEN, None])]
    connection = await asyncpg.connect(plain_url(store.url))
    try:
        await connection.executemany(_INSERT, rows)
    finally:
        await connection.close()
    return store


def make_right(agencies: Iterable[str] | None) -> Right:
    return Right(
        sub="reader",
        operation="GET /ledger/v1/records",
        grants=(),
        procedures=None,
        fields=None,
        agencies=None if agencies is None else frozenset(agencies),
        exp=0,
    )


async def find_agencies(
    session: AsyncSession, right: Right, agency: str | None = None
) -> set[str | None]:
    filters = RecordFilter(agency=agency)
    found, _ = await use_cases.list_records(session, filters, PageParameters(limit=100), right)
    return {row.record.agency for row in found}


@pytest.fixture(params=["by ranges", "by time"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the lists of this test read the records of each agency, or those of all."""
    if request.param == "by time":
        monkeypatch.setattr(repository, "MAX_RANGE_ROWS", -1)


@pytest.mark.usefixtures("way")
async def test_right_shows_the_records_that_it_covers_in_both_forms(recorded: Store) -> None:
    limits = [some for size in (1, 2) for some in combinations([*AGENCIES, *OLDER], size)]
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        for agencies in limits:
            right = make_right(agencies)
            expected = {code for code in WRITTEN if right.covers_agency(code)}
            assert await find_agencies(session, right) == expected, agencies


@pytest.mark.usefixtures("way")
async def test_right_to_an_agency_shows_the_older_codes_of_it_and_of_those_below(
    recorded: Store,
) -> None:
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        found = await find_agencies(session, make_right(["G18.04"]))
    assert found == {
        "G18.04",
        "000.00.04.G18",
        "G18.04.07",
        "000.07.04.G18",
        "G18.04.07.005",
        "005.07.04.G18",
    }


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("asked", [*AGENCIES, *OLDER])
async def test_filter_finds_the_records_of_an_agency_in_both_forms(
    recorded: Store, asked: str
) -> None:
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        found = await find_agencies(session, make_right(None), asked)
    assert found == {code for code in WRITTEN if canonical_code(code) == canonical_code(asked)}
    assert found == set(list_written_agency_codes(asked))


@pytest.mark.usefixtures("way")
async def test_filter_by_an_agency_beyond_the_right_finds_nothing(recorded: Store) -> None:
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        assert await find_agencies(session, make_right(["G18.04"]), "G18") == set()
        assert await find_agencies(session, make_right(["G18"]), "G18.04") == {
            "G18.04",
            "000.00.04.G18",
        }


@pytest.mark.usefixtures("way")
async def test_pages_of_several_agencies_follow_each_other_by_time(recorded: Store) -> None:
    """Two records each of three agencies, in the order of time that the agencies do not have."""
    hours = {"G18": (1, 6), "G18.04": (3, 4), "000.00.00.G18": (2, 5), "H26": (7, 8)}
    rows = [
        (index, uuid4(), datetime(2026, 12, 1, hour, tzinfo=UTC), code)
        for index, (hour, code) in enumerate(
            [(hour, code) for code, both in hours.items() for hour in both], start=100
        )
    ]
    connection = await asyncpg.connect(plain_url(recorded.url))
    try:
        await connection.executemany(_INSERT, rows)
    finally:
        await connection.close()
    seen: list[int] = []
    filters, next_cursor = RecordFilter(), None
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        for _ in range(3):
            page = PageParameters(limit=2, after=next_cursor)
            found, next_cursor = await use_cases.list_records(
                session, filters, page, make_right(["G18"])
            )
            seen += [row.record.at.hour for row in found]
    assert seen == [6, 5, 4, 3, 2, 1]


_FILL = """
    INSERT INTO access_record (chain, number, index, id, at, agency, client, operation, subjects,
        outcome, record)
    SELECT 'gateway-1', 2, n, gen_random_uuid(), '2026-12-01'::timestamptz - n * interval '1 min',
        CASE WHEN n % 4000 = 0 THEN 'K99.04' ELSE 'H' || 10 + n % 10 END, 'client', 'operation',
        '{}', 'allowed', ''
    FROM generate_series(1, 20000) AS n"""
_READ = """SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
    FROM pg_stat_xact_user_tables WHERE relname = 'access_record'"""


@pytest.mark.parametrize(
    ("agencies", "wanted"), [(["K99"], {}), (["K99", "K98"], {}), (None, {"agency": "K99.04"})]
)
async def test_records_of_a_rare_agency_are_listed_without_reading_those_of_others(
    store: Store, agencies: list[str] | None, wanted: dict[str, str]
) -> None:
    connection = await asyncpg.connect(plain_url(store.url))
    try:
        await connection.execute(_FILL)
        await connection.execute("ANALYZE access_record")
    finally:
        await connection.close()
    filters, right = RecordFilter.model_validate(wanted), make_right(agencies)
    async with open_database(make_settings(store.url)) as sessions, sessions() as session:
        page = PageParameters(limit=100)
        found, _ = await use_cases.list_records(session, filters, page, right)
        read = await session.scalar(text(_READ))
    assert {row.record.agency for row in found} == {"K99.04"}
    assert len(found) == 5
    assert read <= 50
