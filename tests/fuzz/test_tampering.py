"""Whoever may write the database of the ledger, and changes anything in it, is found out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

from deploy.postgres import as_superuser
from tests.conftest import MORE, Databases
from tests.gateway.ledger.ledgers import Store, draft, make_store, writing

BATCHES, RECORDS = 3, 4
TABLES = {"access_record": BATCHES * RECORDS, "ledger_seal": BATCHES}
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
_DAYS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- what hypothesis wants
_NUMBERS = st.integers(-2, BATCHES + 2)
RECORD_COLUMNS = {
    "chain": st.sampled_from(["gateway-1", "gateway-2", ""]),
    "number": _NUMBERS,
    "index": st.integers(-2, RECORDS + 2),
    "at": _DAYS,
    "id": st.uuids(),
    "agency": st.none() | _TEXTS,
    "client": st.none() | _TEXTS,
    "operation": _TEXTS,
    "purpose": st.none() | _TEXTS,
    "dossier": st.none() | _TEXTS,
    "subjects": st.lists(st.none() | _TEXTS, max_size=2),
    "outcome": _TEXTS,
    "record": st.binary(max_size=30),
}
SEAL_COLUMNS = {
    "chain": RECORD_COLUMNS["chain"],
    "number": _NUMBERS,
    "at": _DAYS,
    "count": st.integers(0, 9),
    "header": _TEXTS,
    "signature": st.binary(max_size=64),
    "leaves": st.binary(max_size=64) | st.binary(min_size=128, max_size=128),
}
COLUMNS = [("access_record", name) for name in RECORD_COLUMNS]
COLUMNS += [("ledger_seal", name) for name in SEAL_COLUMNS]


@dataclass
class Intruder:
    """Sits in the database as its superuser, whom no trigger stops."""

    connection: asyncpg.Connection
    store: Store

    async def rows(self, table: str) -> list[asyncpg.Record]:
        key = "number, index" if table == "access_record" else "number"
        return list(await self.connection.fetch(f"SELECT ctid, * FROM {table} ORDER BY {key}"))

    async def put(self, table: str, row: asyncpg.Record, column: str, value: Any) -> None:
        await self.connection.execute(
            f'UPDATE {table} SET "{column}" = $1 WHERE ctid = $2',
            value,
            row["ctid"],
        )

    async def damage(self) -> list[str]:
        return [line for verdict in await self.store.verdicts() for line in verdict.damage]

    async def restore(self) -> None:
        for table in TABLES:
            await self.connection.execute(f"TRUNCATE {table}")
            await self.connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")


@pytest.fixture(scope="module")
async def intruder(postgres: Databases) -> AsyncIterator[Intruder]:
    store = make_store(postgres.migrated_url("gateway"))
    async with writing(store) as ledger:
        for batch in range(BATCHES):
            calls = [ledger.record(draft(f"request-{batch}-{n}")) for n in range(RECORDS)]
            await asyncio.gather(*calls)
    async with as_superuser(postgres.server.url, make_url(store.url).database or "") as connection:
        await connection.execute("SET session_replication_role = replica")
        for table in TABLES:
            await connection.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        await store.assert_intact()
        yield Intruder(connection, store)


@asynccontextmanager
async def restored(intruder: Intruder) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await intruder.restore()


@pytest.mark.parametrize(("table", "column"), COLUMNS)
@settings(max_examples=3 * MORE)
@given(data=st.data())
async def test_changed_value_is_found(
    intruder: Intruder, table: str, column: str, data: st.DataObject
) -> None:
    columns = RECORD_COLUMNS if table == "access_record" else SEAL_COLUMNS
    row = data.draw(st.sampled_from(await intruder.rows(table)))
    value = data.draw(columns[column].filter(lambda put: put != row[column]))
    async with restored(intruder):
        try:
            await intruder.put(table, row, column, value)
        except asyncpg.UniqueViolationError:
            assume(False)
        assert await intruder.damage()


@pytest.mark.parametrize("joined", [["{0},{1}"], ["{0},{1}", None], ["{0}", "{1}", None]])
async def test_subjects_that_only_look_the_same_are_found(
    intruder: Intruder, joined: list[str | None]
) -> None:
    [row, *_] = await intruder.rows("access_record")
    put = [each and each.format(*row["subjects"]) for each in joined]
    async with restored(intruder):
        await intruder.put("access_record", row, "subjects", put)
        assert "columns changed: subjects" in " ".join(await intruder.damage())


async def test_place_that_leaves_the_order_as_it_is_is_found(intruder: Intruder) -> None:
    last = (await intruder.rows("access_record"))[-1]
    async with restored(intruder):
        await intruder.put("access_record", last, "index", last["index"] + 5)
        assert "columns changed: index" in " ".join(await intruder.damage())


@settings(max_examples=6 * MORE)
@given(at=st.integers(0, BATCHES * RECORDS - 1), batch=_NUMBERS, index=st.integers(-3, 9))
@example(at=0, batch=0, index=0)
@example(at=0, batch=-1, index=0)
async def test_added_copy_of_a_record_is_found(
    intruder: Intruder, at: int, batch: int, index: int
) -> None:
    row = dict((await intruder.rows("access_record"))[at]) | {"number": batch, "index": index}
    del row["ctid"]
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    async with restored(intruder):
        try:
            await intruder.connection.execute(
                f"INSERT INTO access_record ({names}) VALUES ({places})",
                *row.values(),
            )
        except asyncpg.UniqueViolationError:
            assume(False)
        assert await intruder.damage()


@settings(max_examples=6 * MORE)
@given(
    table=st.sampled_from(sorted(TABLES)), gone=st.sets(st.integers(0, 11), min_size=1, max_size=4)
)
async def test_removed_rows_are_found(intruder: Intruder, table: str, gone: set[int]) -> None:
    """The last seal with its records is told by an anchor alone: see tests/gateway."""
    places = [row["ctid"] for row in await intruder.rows(table)]
    chosen = [places[each % len(places)] for each in gone]
    async with restored(intruder):
        for place in chosen:
            await intruder.connection.execute(
                f"DELETE FROM {table} WHERE ctid = $1",
                place,
            )
        assert await intruder.damage()


@settings(max_examples=6 * MORE)
@given(order=st.permutations(range(BATCHES * RECORDS)))
async def test_records_in_another_order_are_found(intruder: Intruder, order: list[int]) -> None:
    assume(order != sorted(order))
    rows = await intruder.rows("access_record")
    async with restored(intruder):
        for row, other in zip(rows, (rows[place] for place in order), strict=True):
            await intruder.connection.execute(
                "UPDATE access_record SET number = $1, index = $2 WHERE id = $3",
                other["number"] + 100,
                other["index"],
                row["id"],
            )
        await intruder.connection.execute("UPDATE access_record SET number = number - 100")
        assert await intruder.damage()
