import asyncio
import sys
from functools import partial
from http import HTTPStatus
from pathlib import Path

import asyncpg
import orjson
import pytest
from starlette.responses import JSONResponse

from deploy.postgres import plain_url
from gateway.ledger import writer
from gateway.ledger.chain.seals import START, BatchHeader
from tests.conftest import Databases
from tests.gateway.ledger.ledgers import Store, draft, writing
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import (
    LIST,
    VERIFY,
    Gate,
    Services,
    database_away,
    is_reported,
    make_client,
    make_grant,
    open_gate,
)
from tests.support.waiting import count_blocked, eventually

MIN_CUTS = 20
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'ledger'"""


async def test_record_is_found_by_its_columns_and_reads_as_sealed(store: Store) -> None:
    async with writing(store) as ledger:
        await ledger.record(draft())
    [row] = await store.rows("SELECT * FROM access_record WHERE subjects @> $1", [SUBJECT])
    told = orjson.loads(row["record"])
    assert told["id"] == str(row["id"])
    assert told["subjects"] == row["subjects"] == [SUBJECT, "cd" * 32]
    assert (row["chain"], row["number"], row["index"]) == ("gateway-1", 1, 0)
    await store.assert_intact()


async def test_calls_at_once_share_batches(store: Store) -> None:
    async with writing(store) as ledger:
        await asyncio.gather(*(ledger.record(draft(f"request-{n}")) for n in range(1_200)))
    seals = await store.rows("SELECT count FROM ledger_seal ORDER BY number")
    assert [seal["count"] for seal in seals] == [500, 500, 200]
    assert await store.requests() == [f"request-{n}" for n in range(1_200)]
    await store.assert_intact()


async def test_what_nobody_waits_for_is_taken_along_by_what_somebody_waits_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GATHER_S", 60.0)
    async with writing(store) as ledger:
        ledger.note(draft("note-1", LIST))
        assert await store.requests() == []
        ledger.note(draft("note-2", LIST))
        await ledger.record(draft("record"))
        assert await store.requests() == ["note-1", "note-2", "record"]
        # And an end waits for none.
        ledger.note(draft("note-3", LIST))
    assert await store.requests() == ["note-1", "note-2", "record", "note-3"]
    seals = await store.rows("SELECT count FROM ledger_seal ORDER BY number")
    assert [seal["count"] for seal in seals] == [3, 1]
    await store.assert_intact()


async def test_announced_change_is_durable_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GATHER_S", 60.0)
    async with writing(store) as ledger:
        ledger.announce(draft("announced"))
        await eventually(partial(_is_on_record, store, "announced"))


async def _is_on_record(store: Store, request: str) -> bool:
    return request in await store.requests()


async def test_who_waits_alone_does_not_wait_for_company_because_of_notes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COLLECT_S", 60.0)
    async with writing(store) as ledger:
        for number in range(3):
            ledger.note(draft(f"note-{number}", LIST))
        await ledger.record(draft("first"))
        await ledger.record(draft("second"))
    assert len(await store.requests()) == 5


async def test_chain_goes_on_where_the_last_process_left_it(store: Store) -> None:
    for number in range(3):
        async with writing(store) as ledger:
            await ledger.record(draft(f"request-{number}"))
    headers = [
        BatchHeader.model_validate_json(row["header"])
        for row in await store.rows("SELECT header FROM ledger_seal ORDER BY number")
    ]
    assert [(each.chain, each.number) for each in headers] == [
        ("gateway-1", number) for number in (1, 2, 3)
    ]
    assert headers[0].previous == START.digest
    await store.assert_intact()


async def test_each_process_has_a_chain_of_its_own(store: Store) -> None:
    async with writing(store) as one, writing(store) as two:
        await asyncio.gather(one.record(draft("one")), two.record(draft("two")))
    assert await store.requests() == ["one", "two"]
    chains = await store.rows("SELECT chain FROM ledger_seal ORDER BY chain")
    assert [row["chain"] for row in chains] == ["gateway-1", "gateway-2"]
    await store.assert_intact()


async def test_answer_leaves_only_when_its_record_is_durable(
    postgres: Databases, services: Services
) -> None:
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client(), make_grant())
        connection = await asyncpg.connect(plain_url(gate.settings.database_url))
        block = connection.transaction()
        await block.start()
        await connection.execute("LOCK TABLE access_record IN SHARE MODE")
        asked = len(services.asked)
        call = asyncio.create_task(gate.ask(VERIFY))
        await eventually(lambda: len(services.asked) > asked)
        await eventually(lambda: count_blocked(connection, "ledger"))
        assert not call.done()
        assert await gate.records(pending=True) == []
        await block.rollback()
        assert (await call).status_code == HTTPStatus.OK
        assert len(await gate.records()) == 1
        await connection.close()


async def test_answer_is_not_given_where_its_record_takes_too_long(
    postgres: Databases, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_RECORD_WAIT_S", 0.3)
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client(), make_grant())
        connection = await asyncpg.connect(plain_url(gate.settings.database_url))
        async with connection.transaction():
            await connection.execute("LOCK TABLE access_record IN SHARE MODE")
            services.answer, told = lambda: named({"name": "Nguyễn Văn An"}), services.answer
            answer = await gate.ask(VERIFY)
            services.answer = told
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json()["type"] == "/problems/ledger-away"
        assert answer.headers["Retry-After"] == "2"
        assert "Nguyễn" not in answer.text
        # The service was asked, so the access is on record in the end, and that it was not told.
        await eventually(lambda: has_records(gate, 2))
        await connection.close()


def named(content: object) -> JSONResponse:
    return JSONResponse(content, headers={"X-Subject": SUBJECT})


async def has_records(gate: Gate, count: int) -> bool:
    return len(await gate.records()) == count


async def test_without_its_database_nothing_personal_begins(
    postgres: Databases, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A call that began before waits so long for its record.
    monkeypatch.setattr(writer, "MAX_RECORD_WAIT_S", 0.3)
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client(), make_grant())
        async with database_away(postgres, gate):
            await eventually(lambda: is_turned_away(gate))
            asked = len(services.asked)
            answer = await gate.ask(VERIFY)
            assert answer.json()["type"] == "/problems/ledger-away"
            assert answer.headers["Retry-After"] == "2"
            assert len(services.asked) == asked
            for _ in range(5):
                assert (await gate.ask(LIST)).is_success
        await eventually(lambda: is_reported(gate, "chain", "ok"))
        assert (await gate.ask(VERIFY)).is_success
        # What went on meanwhile was kept in memory, and is on record now.
        await eventually(lambda: has_operations(gate, [*[LIST] * 5, VERIFY]))


async def is_turned_away(gate: Gate) -> bool:
    return (await gate.ask(VERIFY)).status_code == HTTPStatus.SERVICE_UNAVAILABLE


async def has_operations(gate: Gate, wanted: list[str]) -> bool:
    found = [row["operation"] for row in await gate.records()]
    return found[-len(wanted) :] == wanted


async def test_full_memory_turns_all_calls_away_and_loses_none(
    postgres: Databases, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_PENDING_RECORDS", 5)
    async with open_gate(postgres.migrated_url("gateway"), services) as gate:
        await gate.tell(make_client(), make_grant())
        async with database_away(postgres, gate):
            await eventually(lambda: is_reported(gate, "chain", "ChainNotHeldError"))
            answers = [await gate.ask(LIST) for _ in range(10)]
            assert [answer.status_code for answer in answers] == [200] * 5 + [503] * 5
            assert answers[-1].json()["type"] == "/problems/ledger-away"
        await eventually(lambda: has_records(gate, 5))
        await eventually(lambda: is_served(gate, LIST))


async def is_served(gate: Gate, operation: str) -> bool:
    return (await gate.ask(operation)).is_success


async def test_lost_connections_neither_lose_nor_repeat_a_record(store: Store) -> None:
    begun, done, cut_often = list[str](), list[str](), asyncio.Event()
    async with writing(store) as ledger:

        async def record_until_cut_often() -> None:
            while not cut_often.is_set():
                begun.append(request_id := f"request-{len(begun)}")
                await ledger.record(draft(request_id))
                done.append(request_id)

        async def cut_often_enough() -> None:
            cuts = 0
            while cuts < MIN_CUTS:
                # Between two cuts some record becomes durable, or the writer would never get on.
                await eventually(partial(is_longer, done, len(done)))
                cuts += len(await store.rows(CUT))
            cut_often.set()

        await asyncio.gather(cut_often_enough(), *(record_until_cut_often() for _ in range(10)))
    assert sorted(done) == sorted(begun) == sorted(await store.requests())
    await store.assert_intact()


def is_longer(values: list[str], than: int) -> bool:
    return len(values) > than


async def test_killed_process_leaves_a_chain_with_all_that_it_acknowledged(
    store: Store, tmp_path: Path
) -> None:
    key_file = tmp_path / "ledger_key"
    key_file.write_text(store.key_text)
    command = [
        sys.executable,
        "-m",
        "tests.gateway.ledger.writing_process",
        store.url,
        str(key_file),
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    acknowledged = [(await process.stdout.readline()).decode().strip() for _ in range(300)]
    process.kill()
    acknowledged += (await process.stdout.read()).decode().split()
    assert await process.wait() == -9
    async with writing(store) as ledger:
        await ledger.record(draft("the next process"))
    written = await store.requests()
    assert set(acknowledged) <= set(written)
    assert len(written) == len(set(written))
    assert written[-1] == "the next process"
    [verdict] = await store.verdicts()
    assert (verdict.chain, verdict.damage, verdict.records) == ("gateway-1", [], len(written))
