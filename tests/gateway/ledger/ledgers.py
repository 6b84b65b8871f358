"""A ledger in a database of its own, for tests."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from sqlalchemy import make_url

from deploy.postgres import as_superuser, plain_url
from deploy.secrets import call_key, ed25519_key
from gateway.ledger.chain.anchors import PublishedAnchors
from gateway.ledger.chain.evidence import Evidence
from gateway.ledger.chain.keys import list_trusted_keys
from gateway.ledger.chain.verification import Verdict, verify_ledger
from gateway.ledger.jobs import anchor_chains
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import AccessOutcome
from gateway.ledger.writer import ChainNotHeldError, LedgerWriter
from gateway.operations.table import OPERATIONS
from shared.crypto.ed25519 import read_private_key
from shared.database.engine import open_database
from shared.events import LedgerAnchored
from tests.conftest import Databases
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import CALL_KEYS, VERIFY, make_settings
from tests.support.waiting import eventually


@dataclass
class Store:
    """A ledger's database, and the key that seals it."""

    url: str
    key: Ed25519PrivateKey
    key_text: str

    async def rows(self, query: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(plain_url(self.url))
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def verdicts(self, told: Sequence[LedgerAnchored] = ()) -> list[Verdict]:
        keys, evidence = list_trusted_keys(self.key.public_key(), ""), self.evidence(told)
        return [verdict async for verdict in verify_ledger(make_url(self.url), keys, evidence)]

    def evidence(self, told: Sequence[LedgerAnchored]) -> Evidence:
        evidence = Evidence()
        evidence.add_published_anchors(
            PublishedAnchors([*told], []),
            list_trusted_keys(self.key.public_key(), ""),
            outside=True,
        )
        return evidence

    async def assert_intact(self) -> None:
        assert [line for verdict in await self.verdicts() for line in verdict.damage] == []

    async def requests(self) -> list[str]:
        """The ids of the requests on record, in the order of the chains."""
        query = "SELECT record FROM access_record ORDER BY chain, number, index"
        return [orjson.loads(row["record"])["request_id"] for row in await self.rows(query)]


def make_store(url: str) -> Store:
    text = ed25519_key()
    return Store(url, read_private_key("ledger_key", SecretStr(text)), text)


@asynccontextmanager
async def writing(store: Store) -> AsyncIterator[LedgerWriter]:
    ledger = LedgerWriter(make_url(store.url), store.key)
    task = asyncio.create_task(ledger.write())
    try:
        await eventually(lambda: is_held(ledger))
        yield ledger
        await ledger.drain()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def is_held(ledger: LedgerWriter) -> bool:
    try:
        await ledger.check_chain_held()
    except ChainNotHeldError:
        return False
    return True


def draft(request_id: str = "request-1", operation: str = VERIFY) -> AccessRecordDraft:
    subjects = (SUBJECT, "cd" * 32)
    made = AccessRecordDraft(
        OPERATIONS[operation], request_id, client="h26", agency="H26", subjects=subjects
    )
    made.end_call(200, AccessOutcome.ALLOWED)
    return made


async def filled(store: Store) -> list[LedgerAnchored]:
    await fill(store)
    rows = await store.rows("SELECT value FROM outbox")
    return [LedgerAnchored.model_validate_json(row["value"]) for row in rows]


async def fill(store: Store) -> None:
    """Three batches of four records, told on the axis."""
    async with writing(store) as ledger:
        for batch in range(3):
            calls = [ledger.record(draft(f"request-{batch}-{n}")) for n in range(4)]
            await asyncio.gather(*calls)
    settings = make_settings(store.url)
    async with open_database(settings) as sessions, sessions.begin() as session:
        await anchor_chains(session)


async def tamper(postgres: Databases, store: Store, statement: str) -> None:
    """As the superuser, whom no trigger stops."""
    async with as_superuser(postgres.server.url, make_url(store.url).database or "") as connection:
        await connection.execute("SET session_replication_role = replica")
        assert not (await connection.execute(statement)).endswith(" 0")


def command(
    folder: Path, *words: str, key: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """`make verify-ledger` with these variables, and all keys among the secrets."""
    given_keys = {"digest_key": "", "rights_key": "", "event_key": "", "ledger_key": key}
    for name, given in given_keys.items():
        (folder / name).write_text(given or ed25519_key())
    for name in CALL_KEYS:
        (folder / name).write_text(call_key())
    told = {"KAFKA_SERVERS": "127.0.0.1:9", "SECRETS_DIR": str(folder), "PATH": os.defpath}
    return subprocess.run(
        [sys.executable, "-m", "gateway", "verify-ledger", *words],
        cwd=Path(__file__).parents[3],
        env=told | variables,
        capture_output=True,
        text=True,
        check=False,
    )
