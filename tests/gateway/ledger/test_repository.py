"""A right and a filter find the records of an agency in whichever form its code is written."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import combinations
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.postgres import plain_url
from gateway.ledger import use_cases
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


async def test_right_shows_the_records_that_it_covers_in_both_forms(recorded: Store) -> None:
    limits = [some for size in (1, 2) for some in combinations([*AGENCIES, *OLDER], size)]
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        for agencies in limits:
            right = make_right(agencies)
            expected = {code for code in WRITTEN if right.covers_agency(code)}
            assert await find_agencies(session, right) == expected, agencies


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


@pytest.mark.parametrize("asked", [*AGENCIES, *OLDER])
async def test_filter_finds_the_records_of_an_agency_in_both_forms(
    recorded: Store, asked: str
) -> None:
    async with open_database(make_settings(recorded.url)) as sessions, sessions() as session:
        found = await find_agencies(session, make_right(None), asked)
    assert found == {code for code in WRITTEN if canonical_code(code) == canonical_code(asked)}
    assert found == set(list_written_agency_codes(asked))
