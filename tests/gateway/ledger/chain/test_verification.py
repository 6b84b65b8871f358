"""Texts of the database or of a file add no line to the report, and hide none."""

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.conftest import Databases
from tests.gateway.ledger.ledgers import Store, command, fill, filled, tamper
from tests.gateway.ledger.test_commands import RECORD

FALSE_VERDICT = "gateway-9: intact, 9 records, 9 batches, held from outside up to batch 9 of 9"
FALSE_NAMES = {
    "a NUL": "\0",
    "a line break": f"gateway-0\n{FALSE_VERDICT}\n",
    "another line break": f"x\N{LINE SEPARATOR}{FALSE_VERDICT}",
    "no name of a gateway": "gateway-01",
}


@pytest.mark.parametrize("what", FALSE_NAMES)
async def test_anchor_of_a_chain_that_no_gateway_makes_hides_no_verdict_and_adds_none(
    store: Store, tmp_path: Path, what: str
) -> None:
    [true] = await filled(store)
    kept = tmp_path / "anchors"
    false = true.model_copy(update={"chain": FALSE_NAMES[what], "header": None}).model_dump_json()
    await store.rows("UPDATE outbox SET value = $1", false.encode())
    await asyncio.to_thread(kept.write_text, f"{true.model_dump_json()}\n{false}\n")
    told = await asyncio.to_thread(
        command, tmp_path, "--anchors", str(kept), key=store.key_text, DATABASE_URL=store.url
    )
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    verdict = "gateway-1: intact, 12 records, 3 batches, held from outside up to batch 3 of 3"
    assert (lines[0], len(lines)) == (verdict, 4)
    assert lines[1] == f"no anchor, although it stands for one: {kept}: line 2"
    assert lines[2].startswith("no anchor, although it stands for one: row ")


@pytest.mark.parametrize("table", ["ledger_chain", "ledger_seal", "access_record"])
async def test_chain_that_no_gateway_makes_is_damage_on_a_line_of_its_own(
    postgres: Databases, store: Store, table: str
) -> None:
    await fill(store)
    name = f"gateway-0\n{FALSE_VERDICT}"
    await tamper(postgres, store, f"UPDATE {table} SET chain = '{name}'")
    verdicts = await store.verdicts()
    [false] = [each for each in verdicts if each.chain == name]
    assert (
        false.damage[-1]
        == f"{name!r}, batch {false.newest}: chain added, no gateway gives this name"
    )
    lines = [
        line for each in verdicts for text in each.list_report_lines() for line in text.splitlines()
    ]
    assert not any(line.startswith("gateway-9") for line in lines)


async def test_id_of_a_changed_record_adds_no_line_to_the_report(
    postgres: Databases, store: Store
) -> None:
    await fill(store)
    planted = orjson.dumps({"id": f"1\n{FALSE_VERDICT}"}).decode()
    await tamper(
        postgres,
        store,
        f"UPDATE access_record SET record = convert_to($${planted}$$, 'UTF8') WHERE {RECORD}",
    )
    lines = [text for each in await store.verdicts() for text in each.list_report_lines()]
    assert [len(text.splitlines()) for text in lines] == [1] * len(lines)
    assert any("record changed" in text for text in lines)
