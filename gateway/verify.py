"""Is the access ledger still what was sealed? `python -m gateway.verify` reads all of it and says.

Beside the seals it checks the columns by which records are found (a changed one hides a record from
who looks for it), and the anchors: as the axis kept them, which who writes the database cannot
change, and as the database remembers to have told them. Ends with 0 where all is intact, 1 where
something is damaged, 2 where it cannot tell, whatever the cause.
"""

import argparse
import asyncio
import logging
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError
from sqlalchemy import URL

from gateway.keys import KeyUnfitError, ledger_keys, read_private_key
from gateway.ledger.anchors import AnchorsUnreadableError, anchors_in_file, anchors_on_axis
from gateway.ledger.audit import verify_chain
from gateway.ledger.chain import stored_batch
from gateway.ledger.seals import START, Anchor, SealedBatch, header_digest
from gateway.settings import Settings
from shared.database import is_outage
from shared.events import LedgerAnchored

SEALS_AT_ONCE = 100
SAY_SECONDS = 2.0
MOST_SHOWN = 100
UNCHECKED = 2

# Each chain that any row names, by one step of the index for each.
_CHAINS = """
    WITH RECURSIVE named AS (
        SELECT min(chain) AS chain FROM {table}
        UNION ALL
        SELECT (SELECT min(chain) FROM {table} AS other WHERE other.chain > named.chain)
        FROM named WHERE chain IS NOT NULL
    ) SELECT chain FROM named WHERE chain IS NOT NULL"""
_SEALS = """
    SELECT number, at, count, header, signature, leaves FROM ledger_seal
    WHERE chain = $1 AND number > $2 ORDER BY number LIMIT $3"""
_RECORDS = """
    SELECT number, index, id, at, agency, client, operation, purpose, dossier,
        subjects::text AS subjects, outcome, record
    FROM access_record WHERE chain = $1 AND number > $2 AND number <= $3 ORDER BY number, index"""
# Batches are numbered from 1: what stands before them is as foreign as what comes after the last.
_UNSEALED = """
    SELECT number, id FROM access_record WHERE chain = $1 AND (number > $2 OR number < 1)"""
_MISNUMBERED = "SELECT number FROM ledger_seal WHERE chain = $1 AND number < 1"
_ANCHORS = """
    SELECT value FROM outbox_sent WHERE topic = $1
    UNION ALL SELECT value FROM outbox WHERE topic = $1"""

# Of a database whose stack is still starting for the first time.
_NOT_MADE = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedTableError,
)

_COPIED = ("agency", "client", "operation", "purpose", "dossier", "outcome")

# The digests that were told of each batch; of an untouched chain there is one.
Anchors = Mapping[int, Collection[str]]


class Verdict:
    """What was found in one chain; `damage` is empty where it is intact."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.records = self.seals = 0
        self.damage: list[str] = []
        self._said = time.monotonic()

    def add(self, number: int, what: str, record: object = "") -> None:
        name = f", record {record}" if record else ""
        self.damage.append(f"{self.chain}, batch {number}{name}: {what}")

    def progress(self) -> None:
        if time.monotonic() - self._said > SAY_SECONDS:
            self._said = time.monotonic()
            print(f"{self.chain}: {self.records:,} records …", file=sys.stderr)  # noqa: T201

    def lines(self) -> list[str]:
        size = f"{self.records:,} records, {self.seals:,} batches"
        if not self.damage:
            return [f"{self.chain}: intact, {size}"]
        hidden = len(self.damage) - MOST_SHOWN
        rest = [f"  and {hidden:,} more"] if hidden > 0 else []
        shown = [f"  {each}" for each in self.damage[:MOST_SHOWN]]
        return [f"{self.chain}: DAMAGED, {size}", *shown, *rest]


async def verify_ledger(
    url: URL, keys: Mapping[str, Ed25519PublicKey], told: Iterable[LedgerAnchored] = ()
) -> AsyncIterator[Verdict]:
    """Chain by chain, all as of one instant: gateways may go on writing.

    `keys` are the trusted ones by key id; `told` is what was kept outside this database.
    """
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, timeout=5)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            anchors = await _anchors(connection, told)
            for chain in await _chains(connection, anchors):
                yield await _verify(connection, chain, keys, anchors.get(chain, {}))
    finally:
        await connection.close()


async def _anchors(
    connection: asyncpg.Connection, told: Iterable[LedgerAnchored]
) -> Mapping[str, Anchors]:
    """By chain and number, the digests of the header as it was told on the axis."""
    anchors: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = await connection.fetch(_ANCHORS, LedgerAnchored.topic)
    remembered = [LedgerAnchored.model_validate_json(row["value"]) for row in rows]
    for each in (*told, *remembered):
        anchors[each.chain][each.version].add(each.head)
    return anchors


async def _chains(connection: asyncpg.Connection, anchors: Mapping[str, Anchors]) -> list[str]:
    tables = ("ledger_chain", "ledger_seal", "access_record")
    found = [await connection.fetch(_CHAINS.format(table=table)) for table in tables]
    return sorted({row["chain"] for rows in found for row in rows} | set(anchors))


async def _verify(
    connection: asyncpg.Connection,
    chain: str,
    keys: Mapping[str, Ed25519PublicKey],
    anchors: Anchors,
) -> Verdict:
    verdict, after = Verdict(chain), START
    while seals := await connection.fetch(_SEALS, chain, after.number, SEALS_AT_ONCE):
        last = seals[-1]
        rows = await connection.fetch(_RECORDS, chain, after.number, last["number"])
        _check_sealed(verdict, seals, rows, keys, after)
        _check_columns(verdict, rows)
        _check_anchors(verdict, seals, anchors)
        after = Anchor(last["number"], header_digest(last["header"].encode()))
        verdict.seals += len(seals)
        verdict.records += len(rows)
        verdict.progress()
    for row in await connection.fetch(_UNSEALED, chain, after.number):
        verdict.add(row["number"], "record added, no batch of this number", row["id"])
    for row in await connection.fetch(_MISNUMBERED, chain):
        verdict.add(row["number"], "batch added, none has this number")
    for number in sorted(number for number in anchors if number > after.number):
        verdict.add(number, "batch removed, and all before it back to the last one here")
    return verdict


def _check_sealed(
    verdict: Verdict,
    seals: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    keys: Mapping[str, Ed25519PublicKey],
    after: Anchor,
) -> None:
    kept: dict[int, list[Mapping[str, Any]]] = {seal["number"]: [] for seal in seals}
    for row in rows:
        if row["number"] in kept:
            kept[row["number"]].append(row)
        else:
            verdict.add(row["number"], "record added, no batch of this number", row["id"])
    batches = []
    for seal in seals:
        own = kept[seal["number"]]
        records = [row["record"] for row in own]
        batch = stored_batch(seal["header"], seal["signature"], seal["leaves"], records)
        batches.append(batch)
        _check_seal_columns(verdict, seal, batch, [row["index"] for row in own])
    for fault in verify_chain(batches, keys, chain=verdict.chain, after=after):
        verdict.add(fault.batch, fault.kind, fault.name)


def _check_seal_columns(
    verdict: Verdict, seal: Mapping[str, Any], batch: SealedBatch, indexes: Sequence[int]
) -> None:
    """What `GET /ledger/v1/seals` shows beside the header, and the places that proofs begin at."""
    try:
        header = batch.read_header()
        at = datetime.fromisoformat(header.at)
    except ValueError:
        return  # not what was sealed: said by `verify_chain`
    told = {"number": header.number, "count": header.count, "at": at}
    wrong = [name for name, value in told.items() if seal[name] != value]
    if len(indexes) == header.count and indexes != list(range(header.count)):
        wrong.append("index")
    if wrong:
        verdict.add(seal["number"], f"columns changed: {', '.join(wrong)}")


def _check_columns(verdict: Verdict, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        try:
            wrong = _wrong_columns(row, orjson.loads(row["record"]))
        except (ValueError, TypeError, KeyError):
            continue  # not what was sealed: already said
        if wrong:
            verdict.add(row["number"], f"columns changed: {', '.join(wrong)}", row["id"])


def _wrong_columns(row: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    wrong = [name for name in _COPIED if row[name] != told[name]]
    # As PostgreSQL writes an array of hashes: any other text is another array.
    if row["subjects"] != "{" + ",".join(told["subjects"]) + "}":
        wrong.append("subjects")
    if row["at"] != datetime.fromisoformat(told["at"]):
        wrong.append("at")
    return wrong if str(row["id"]) == told["id"] else ["id", *wrong]


def _check_anchors(verdict: Verdict, seals: Sequence[Mapping[str, Any]], anchors: Anchors) -> None:
    for seal in seals:
        told = anchors.get(seal["number"])
        if told and told != {header_digest(seal["header"].encode())}:
            verdict.add(seal["number"], "batch is not the one whose digest was told on the axis")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.verify", description=__doc__)
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--kafka", help="the axis; else KAFKA_SERVERS, where it answers")
    kept.add_argument("--anchors", type=Path, help="a file with one message of its topic a line")
    return parser.parse_args()


async def _told(options: argparse.Namespace, servers: str) -> Sequence[LedgerAnchored]:
    """Raises where what was asked for cannot be read; KAFKA_SERVERS was not asked for."""
    if options.anchors:
        return anchors_in_file(options.anchors)
    if options.kafka:
        return await anchors_on_axis(options.kafka)
    try:
        return await anchors_on_axis(servers)
    except (KafkaError, OSError):
        return []


async def main() -> int:
    options, settings = _options(), Settings.read()
    key = read_private_key("ledger_key", settings.ledger_key).public_key()
    trusted = ledger_keys(key, settings.ledger_keys_retired)
    damaged, records = False, 0
    told = await _told(options, settings.kafka_servers)
    async for verdict in verify_ledger(settings.database, trusted, told):
        damaged, records = damaged or bool(verdict.damage), records + verdict.records
        print("\n".join(verdict.lines()), flush=True)  # noqa: T201 -- what the command is for
    if not told:
        print("No anchor from outside: who can write here could shorten it.", file=sys.stderr)  # noqa: T201 -- idem
    state = "DAMAGED" if damaged else "intact"
    print(f"{records:,} records: {state}, {len(told):,} anchors from outside")  # noqa: T201 -- idem
    return int(damaged)


def _missing(error: Exception) -> str:
    """What is lacking, and how to mend it; of what nobody thought of, where it came up."""
    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        names = ", ".join(str(each["loc"][0]).upper() for each in error.errors())
        return f"these settings are missing or wrong: {names}. See .env.example."
    if isinstance(error, KeyUnfitError):
        return f"{error}. See SECRETS_DIR."
    if isinstance(error, AnchorsUnreadableError):
        return f"{error}. See --anchors."
    if isinstance(error, _NOT_MADE):
        return "the gateway's database is not made yet. Wait until `make status` says all is ready."
    if isinstance(error, KafkaError) or is_outage(error):
        return "database or axis do not answer. See `make status`, DATABASE_URL and --kafka."
    traceback.print_tb(error.__traceback__)  # without the message, which may show a record
    return type(error).__name__


def run() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it cannot reach is said below
    try:
        return asyncio.run(main())
    except Exception as error:  # noqa: BLE001 -- whatever it is, not all was read
        print(f"Not checked: {_missing(error)}", file=sys.stderr)  # noqa: T201 -- what the command is for
        return UNCHECKED


if __name__ == "__main__":
    sys.exit(run())
