"""Read the whole ledger and compare it with its seals and the anchors kept elsewhere."""

import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import URL

from gateway.ledger.chain.anchors import PublishedAnchors, parse_anchor_message
from gateway.ledger.chain.audit import verify_chain
from gateway.ledger.chain.chain import build_stored_batch, is_chain_name
from gateway.ledger.chain.evidence import Evidence, HeldAnchor
from gateway.ledger.chain.seals import START, Anchor, SealedBatch, hash_batch_header
from shared.database.engine import connect_driver, render_driver_url
from shared.events import LedgerAnchored

SEALS_AT_ONCE = 100
PROGRESS_S = 2.0
MAX_FINDINGS_SHOWN = 100

# A loose index scan finds each chain that a row names.
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
# Batches are numbered from 1, so lower numbers are as false as those after the last batch.
_UNSEALED = """
    SELECT number, id FROM access_record WHERE chain = $1 AND (number > $2 OR number < 1)"""
_MISNUMBERED = "SELECT number FROM ledger_seal WHERE chain = $1 AND number < 1"
_ANCHORS = """
    SELECT 'outbox_sent' AS place, id, value FROM outbox_sent WHERE topic = $1
    UNION ALL SELECT 'outbox', id, value FROM outbox WHERE topic = $1"""

_COPIED = ("agency", "client", "operation", "purpose", "dossier", "outcome")

# The anchors of one chain are keyed by the number of their batch.
Anchors = Mapping[int, Sequence[HeldAnchor]]


class ChainState(StrEnum):
    INTACT = "intact"
    NOT_PROVED = "NOT PROVED"
    DAMAGED = "DAMAGED"


class Verdict:
    """The findings in one chain.

    `damage` is empty if all is as it was sealed. `doubts` are anchors without a signature that
    contradict the chain: either it was changed or they are false. `held_to` is the newest batch
    that agrees with an outside anchor; a cut after it would stay unseen.
    """

    def __init__(self, chain: str) -> None:
        self.chain = chain
        # A name that no gateway gives may contain line breaks, and so a false verdict.
        self.quoted_chain = chain if is_chain_name(chain) else repr(chain)
        self.records = self.seals = self.newest = self.held_to = 0
        self.damage: list[str] = []
        self.doubts: list[str] = []
        self._said = time.monotonic()

    @property
    def state(self) -> ChainState:
        if self.damage:
            return ChainState.DAMAGED
        proved = not self.doubts and (self.held_to or not self.seals)
        return ChainState.INTACT if proved else ChainState.NOT_PROVED

    def add_damage(self, number: int, what: str, record: object = "") -> None:
        name = f", record {record}" if record else ""
        self.damage.append(f"{self.quoted_chain}, batch {number}{name}: {what}")

    def add_doubt(self, number: int) -> None:
        text = "an anchor without a signature names another header, or one that is not here"
        self.doubts.append(f"{self.quoted_chain}, batch {number}: {text}")

    def print_progress(self) -> None:
        if time.monotonic() - self._said > PROGRESS_S:
            self._said = time.monotonic()
            print(f"{self.quoted_chain}: {self.records:,} records …", file=sys.stderr)  # noqa: T201

    def list_report_lines(self) -> list[str]:
        """Return the verdict first, then the first `MAX_FINDINGS_SHOWN` findings."""
        size = f"{self.records:,} records, {self.seals:,} batches"
        findings = [*self.damage, *self.doubts]
        hidden = len(findings) - MAX_FINDINGS_SHOWN
        rest = [f"  and {hidden:,} more"] if hidden > 0 else []
        lines = [f"  {finding}" for finding in findings[:MAX_FINDINGS_SHOWN]]
        return [
            f"{self.quoted_chain}: {self.state}, {size}, {self._describe_anchored_part()}",
            *lines,
            *rest,
        ]

    def _describe_anchored_part(self) -> str:
        if not self.held_to:
            return "nothing outside to hold it against"
        return f"held from outside up to batch {self.held_to:,} of {self.newest:,}"


async def verify_ledger(
    url: URL, keys: Mapping[str, Ed25519PublicKey], evidence: Evidence
) -> AsyncIterator[Verdict]:
    """Yield a verdict for each chain, all as of one instant, while gateways may go on writing.

    `keys` are the trusted keys by key id; `evidence` holds the anchors kept outside this database.
    """
    connection = await connect_driver(render_driver_url(url), timeout=5)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            evidence.add_published_anchors(
                await _read_stored_anchors(connection), keys, outside=False
            )
            for chain in await _list_chain_names(connection, evidence):
                yield await _verify_one_chain(
                    connection, chain, keys, evidence.list_chain_anchors(chain)
                )
    finally:
        await connection.close()


async def _read_stored_anchors(connection: asyncpg.Connection) -> PublishedAnchors:
    """Return the anchors that this database has published or is about to publish."""
    anchors = PublishedAnchors([], [])
    for row in await connection.fetch(_ANCHORS, LedgerAnchored.topic):
        anchors.add_message(
            f"row {row['id']} of {row['place']}", parse_anchor_message, row["value"]
        )
    return anchors


async def _list_chain_names(connection: asyncpg.Connection, evidence: Evidence) -> list[str]:
    tables = ("ledger_chain", "ledger_seal", "access_record")
    row_lists = [await connection.fetch(_CHAINS.format(table=table)) for table in tables]
    return sorted(
        {row["chain"] for rows in row_lists for row in rows} | evidence.list_chain_names()
    )


async def _verify_one_chain(
    connection: asyncpg.Connection,
    chain: str,
    keys: Mapping[str, Ed25519PublicKey],
    anchors: Anchors,
) -> Verdict:
    verdict, after = Verdict(chain), START
    while seals := await connection.fetch(_SEALS, chain, after.number, SEALS_AT_ONCE):
        last = seals[-1]
        rows = await connection.fetch(_RECORDS, chain, after.number, last["number"])
        _check_sealed_batches(verdict, seals, rows, keys, after)
        _check_record_columns(verdict, rows)
        _check_chain_anchors(verdict, seals, anchors)
        after = Anchor(last["number"], hash_batch_header(last["header"].encode()))
        verdict.seals += len(seals)
        verdict.records += len(rows)
        verdict.print_progress()
    for row in await connection.fetch(_UNSEALED, chain, after.number):
        verdict.add_damage(row["number"], "record added, no batch of this number", row["id"])
    for row in await connection.fetch(_MISNUMBERED, chain):
        verdict.add_damage(row["number"], "batch added, none has this number")
    if not is_chain_name(chain):
        verdict.add_damage(after.number, "chain added, no gateway gives this name")
    verdict.newest = after.number
    _check_chain_end(verdict, anchors)
    return verdict


def _check_chain_end(verdict: Verdict, anchors: Anchors) -> None:
    for number in sorted(number for number in anchors if number > verdict.newest):
        if any(held.signed for held in anchors[number]):
            verdict.add_damage(number, "batch removed, and all before it back to the last one here")
        else:
            verdict.add_doubt(number)


def _check_sealed_batches(
    verdict: Verdict,
    seals: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    keys: Mapping[str, Ed25519PublicKey],
    after: Anchor,
) -> None:
    rows_by_batch: dict[int, list[Mapping[str, Any]]] = {seal["number"]: [] for seal in seals}
    for row in rows:
        if row["number"] in rows_by_batch:
            rows_by_batch[row["number"]].append(row)
        else:
            verdict.add_damage(row["number"], "record added, no batch of this number", row["id"])
    batches = []
    for seal in seals:
        batch_rows = rows_by_batch[seal["number"]]
        records = [row["record"] for row in batch_rows]
        batch = build_stored_batch(seal["header"], seal["signature"], seal["leaves"], records)
        batches.append(batch)
        _check_seal_columns(verdict, seal, batch, [row["index"] for row in batch_rows])
    for fault in verify_chain(batches, keys, chain=verdict.chain, after=after):
        verdict.add_damage(fault.batch, fault.kind, fault.name)


def _check_seal_columns(
    verdict: Verdict, seal: Mapping[str, Any], batch: SealedBatch, indexes: Sequence[int]
) -> None:
    """Check the columns that `GET /ledger/v1/seals` shows beside the header.

    The indexes are checked as well, because proofs start at them.
    """
    try:
        header = batch.read_header()
        at = datetime.fromisoformat(header.at)
    except ValueError:
        return  # `verify_chain` reports an unreadable header
    columns = {"number": header.number, "count": header.count, "at": at}
    wrong = [name for name, value in columns.items() if seal[name] != value]
    if len(indexes) == header.count and indexes != list(range(header.count)):
        wrong.append("index")
    if wrong:
        verdict.add_damage(seal["number"], f"columns changed: {', '.join(wrong)}")


def _check_record_columns(verdict: Verdict, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        try:
            wrong = _list_wrong_columns(row, orjson.loads(row["record"]))
        except (ValueError, TypeError, KeyError):
            continue  # `verify_chain` reports a changed record
        if wrong:
            verdict.add_damage(row["number"], f"columns changed: {', '.join(wrong)}", row["id"])


def _list_wrong_columns(row: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    wrong = [name for name in _COPIED if row[name] != record[name]]
    # PostgreSQL writes an array of hashes in this form only.
    if row["subjects"] != "{" + ",".join(record["subjects"]) + "}":
        wrong.append("subjects")
    if row["at"] != datetime.fromisoformat(record["at"]):
        wrong.append("at")
    return wrong if str(row["id"]) == record["id"] else ["id", *wrong]


def _check_chain_anchors(
    verdict: Verdict, seals: Sequence[Mapping[str, Any]], anchors: Anchors
) -> None:
    for seal in seals:
        number, held = seal["number"], anchors.get(seal["number"], ())
        digest = hash_batch_header(seal["header"].encode()) if held else ""
        others = [anchor for anchor in held if anchor.digest != digest]
        if any(anchor.signed for anchor in others):
            verdict.add_damage(number, "batch is not the one whose digest was told on the axis")
        elif others:
            verdict.add_doubt(number)
        if any(anchor.outside for anchor in held if anchor.digest == digest):
            verdict.held_to = max(verdict.held_to, number)
