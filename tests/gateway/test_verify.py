import asyncio
import re
from argparse import Namespace
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest
from aiokafka.errors import KafkaError
from sqlalchemy import make_url

from gateway.ledger.anchors import (
    anchors_in_file,
    anchors_on_axis,
)
from gateway.timers import anchor_chains
from gateway.verify import _told
from shared.database import open_database
from shared.events import LedgerAnchored
from shared.kafka import open_producer
from shared.topics import make_topics
from tests.conftest import Broker, Databases
from tests.gateway.gate import make_settings
from tests.gateway.ledgers import Store, command, exchange, fill, tamper, writing


async def anchor(store: Store) -> list[LedgerAnchored]:
    """What is told of the chains now."""
    settings = make_settings(store.url)
    async with open_database(settings) as sessions, sessions.begin() as session:
        await anchor_chains(session)
    rows = await store.rows("DELETE FROM outbox RETURNING value, position")
    told = sorted(rows, key=lambda row: row["position"])
    return [LedgerAnchored.model_validate_json(row["value"]) for row in told]


async def test_head_of_each_chain_that_moved_is_told(store: Store) -> None:
    async with writing(store) as one, writing(store) as two:
        for number in range(3):
            await one.record(exchange(f"request-{number}"))
        await two.record(exchange())
        told = await anchor(store)
        assert [(each.chain, each.version) for each in told] == [("gateway-1", 3), ("gateway-2", 1)]
        await two.record(exchange())
        assert [(each.chain, each.version) for each in await anchor(store)] == [("gateway-2", 2)]
    assert await anchor(store) == []
    [row] = await store.rows("SELECT header, signature FROM ledger_seal WHERE number = 3")
    assert told[0].head == sha256(row["header"].encode()).hexdigest()
    assert told[0].signature == b64encode(row["signature"]).decode()


@pytest.mark.parametrize("table", ["access_record", "ledger_seal"])
async def test_ledger_refuses_to_be_changed_by_accident(store: Store, table: str) -> None:
    async with writing(store) as ledger:
        await ledger.record(exchange())
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET at = now()",
        f"TRUNCATE {table}",
    ):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await store.rows(statement)


RECORD = "chain = 'gateway-1' AND number = 2 AND index = 1"
TAMPERING = {
    "a record changed": (
        (
            f"UPDATE access_record SET record = convert_to(replace(convert_from(record, 'UTF8'),"
            f" 'allowed', 'refused'), 'UTF8'), outcome = 'refused' WHERE {RECORD}"
        ),
        r"gateway-1, batch 2, record {id}: record changed",
    ),
    "a record removed": (
        f"DELETE FROM access_record WHERE {RECORD}",
        r"gateway-1, batch 2, record place 1: record removed",
    ),
    "a record added": (
        (
            "INSERT INTO access_record SELECT chain, number, 4, at, gen_random_uuid(), agency,"
            " client, operation, purpose, dossier, subjects, outcome, convert_to(replace("
            "convert_from(record, 'UTF8'), id::text, 'made-up'), 'UTF8')"
            f" FROM access_record WHERE {RECORD}"
        ),
        r"gateway-1, batch 2, record made-up: record added",
    ),
    "records re-ordered": (
        "UPDATE access_record SET index = 9 WHERE number = 2 AND index = 0",
        r"gateway-1, batch 2, record .*: record moved",
    ),
    "a record in no batch": (
        f"UPDATE access_record SET number = 7 WHERE {RECORD}",
        r"gateway-1, batch 7, record {id}: record added, no batch of this number",
    ),
    "a record hidden from a search": (
        f"UPDATE access_record SET subjects = '{{}}', agency = 'G01' WHERE {RECORD}",
        r"gateway-1, batch 2, record {id}: columns changed: agency, subjects",
    ),
    "a header changed": (
        (
            "UPDATE ledger_seal SET header = replace(header, '\"count\":4', '\"count\":3')"
            " WHERE number = 2"
        ),
        r"gateway-1, batch 2: batch changed or added without the key",
    ),
    "the list of leaves changed": (
        (
            "UPDATE ledger_seal SET leaves = set_byte(leaves, 0, get_byte(leaves, 0) # 1)"
            " WHERE number = 2"
        ),
        r"gateway-1, batch 2: leaf list changed",
    ),
    "a batch removed": (
        (
            "WITH gone AS (DELETE FROM access_record WHERE number = 2)"
            " DELETE FROM ledger_seal WHERE number = 2"
        ),
        r"gateway-1, batch 2: batch removed",
    ),
    "the newest batch removed": (
        (
            "WITH gone AS (DELETE FROM access_record WHERE number = 3)"
            " DELETE FROM ledger_seal WHERE number = 3"
        ),
        r"gateway-1, batch 3: batch removed",
    ),
    "everything removed": (
        (
            "WITH gone AS (DELETE FROM access_record), chain AS (DELETE FROM ledger_chain)"
            " DELETE FROM ledger_seal"
        ),
        r"gateway-1, batch 3: batch removed",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_found_and_named(postgres: Databases, store: Store, what: str) -> None:
    await fill(store)
    await store.assert_intact()
    statement, said = TAMPERING[what]
    [row] = await store.rows(f"SELECT id FROM access_record WHERE {RECORD}")
    await tamper(postgres, store, statement)
    damage = [line for verdict in await store.verdicts() for line in verdict.damage]
    assert any(re.fullmatch(said.format(id=row["id"]) + ".*", line) for line in damage), damage


async def test_chain_written_anew_with_the_key_differs_from_what_was_told(
    postgres: Databases, store: Store
) -> None:
    await fill(store)
    await tamper(postgres, store, "DELETE FROM access_record")
    await tamper(postgres, store, "DELETE FROM ledger_seal")
    async with writing(store) as ledger:
        for number in range(3):
            await ledger.record(exchange(f"other-{number}"))
    [verdict] = await store.verdicts()
    assert verdict.damage == [
        "gateway-1, batch 3: batch is not the one whose digest was told on the axis"
    ]


async def forget_everything(postgres: Databases, store: Store) -> None:
    """Who may write the database removes the newest batch, and what was told of it."""
    await tamper(postgres, store, "DELETE FROM access_record WHERE number = 3")
    await tamper(postgres, store, "DELETE FROM ledger_seal WHERE number = 3")
    await tamper(postgres, store, "DELETE FROM outbox")
    await store.assert_intact()


@pytest.mark.broker
async def test_cut_hidden_from_the_database_is_found_by_the_axis(
    postgres: Databases, store: Store, own_kafka: Broker
) -> None:
    await fill(store)
    await make_topics({"bootstrap_servers": own_kafka.servers})
    assert await anchors_on_axis({"bootstrap_servers": own_kafka.servers}) == ([], [])
    settings = make_settings(
        store.url, kafka_servers=own_kafka.servers, kafka_idempotent=own_kafka.idempotent
    )
    rows = await store.rows("SELECT value FROM outbox")
    async with open_producer(settings) as producer:
        for row in rows:
            await producer.send_and_wait(LedgerAnchored.topic, row["value"])
            # The topic is kept for ever: a message that is no anchor may not hide the others.
            await producer.send_and_wait(LedgerAnchored.topic, b"{}", partition=0)
    await forget_everything(postgres, store)
    told = await anchors_on_axis({"bootstrap_servers": own_kafka.servers})
    assert len(told.unreadable) == len(rows)
    assert all(place.endswith("of partition 0") for place in told.unreadable)
    [verdict] = await store.verdicts(told.anchors)
    assert verdict.damage == [
        "gateway-1, batch 3: batch removed, and all before it back to the last one here"
    ]


async def test_cut_is_found_by_a_file_of_anchors(
    postgres: Databases, store: Store, tmp_path: Path
) -> None:
    await fill(store)
    kept = tmp_path / "anchors"
    rows = await store.rows("SELECT value FROM outbox")
    kept.write_bytes(b"".join(row["value"] + b"\n" for row in rows))
    await forget_everything(postgres, store)
    [verdict] = await store.verdicts(anchors_in_file(kept).anchors)
    assert "batch removed" in verdict.damage[0]


async def test_axis_that_is_away_fails_only_where_it_was_asked_for() -> None:
    nobody = "127.0.0.1:9"
    axis = {"bootstrap_servers": nobody}
    assert await _told(Namespace(anchors=None, kafka=None, receipts=None), axis) == [([], [])]
    with pytest.raises(KafkaError):
        await _told(Namespace(anchors=None, kafka=nobody, receipts=None), axis)


def test_before_the_stack_is_up_one_line_says_what_is_missing(
    postgres: Databases, tmp_path: Path
) -> None:
    empty = postgres.database_url("gateway")
    unmade = str(make_url(empty).set(database="unmade"))
    away = "postgresql+asyncpg://gateway@127.0.0.1:9/gateway"
    none = tmp_path / "none"
    none.mkdir()
    found = [
        command(tmp_path, DATABASE_URL=away),
        command(tmp_path, DATABASE_URL=unmade),
        command(tmp_path, DATABASE_URL=empty),
        command(tmp_path, "--kafka", "127.0.0.1:9", DATABASE_URL=empty),
        command(tmp_path, DATABASE_URL=empty, SECRETS_DIR=str(none)),
    ]
    assert [each.returncode for each in found] == [2] * len(found), [e.stderr for e in found]
    assert [each.stderr.count("\n") for each in found] == [1] * len(found)
    words = ("do not answer", "not made yet", "not made yet", "do not answer", "LEDGER_KEY")
    for each, word in zip(found, words, strict=True):
        assert each.stderr.startswith("Not checked: ")
        assert word in each.stderr


def test_anchors_that_cannot_be_read_are_no_damage(tmp_path: Path) -> None:
    kept, none = tmp_path / "kept", tmp_path / "none"
    kept.write_text('\n{"chain": "a secret"}\n')
    url = "postgresql+asyncpg://gateway@127.0.0.1:9/gateway"
    why = {kept: "line 2 is no message of its topic", none: "No such file or directory"}
    for path, said in why.items():
        told = command(tmp_path, "--anchors", str(path), DATABASE_URL=url)
        assert told.returncode == 2
        assert told.stderr == f"Not checked: {path}: {said}. See --anchors and --receipts.\n"


async def test_unreadable_anchor_hides_no_damage(
    postgres: Databases, store: Store, tmp_path: Path
) -> None:
    await fill(store)
    kept = tmp_path / "anchors"
    rows = await store.rows("SELECT value FROM outbox")
    lines = [row["value"] for row in rows]
    await asyncio.to_thread(kept.write_bytes, b"\n".join([b'{"chain": "a secret"}', *lines]))
    await store.rows("UPDATE outbox SET value = convert_to('{\"chain\": \"a secret\"}', 'UTF8')")
    await tamper(postgres, store, "DELETE FROM access_record WHERE number = 2")
    told = await asyncio.to_thread(
        command, tmp_path, "--anchors", str(kept), DATABASE_URL=store.url
    )
    assert told.returncode == 1
    assert "DAMAGED" in told.stdout
    assert f"no anchor, although it stands for one: {kept}: line 1" in told.stdout
    assert "no anchor, although it stands for one: row " in told.stdout
    assert "secret" not in told.stdout + told.stderr


async def test_what_nobody_thought_of_is_no_damage_and_shows_no_record(
    store: Store, tmp_path: Path
) -> None:
    await fill(store)
    await store.rows("ALTER TABLE ledger_seal RENAME COLUMN leaves TO other")
    told = await asyncio.to_thread(command, tmp_path, DATABASE_URL=store.url)
    assert told.returncode == 2
    assert told.stderr.endswith("\nNot checked: UndefinedColumnError\n")
    assert "_verify" in told.stderr
