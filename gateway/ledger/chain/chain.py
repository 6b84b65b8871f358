"""Append to one chain of seals. A lock keeps other processes out, so a chain never forks."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

import asyncpg
from sqlalchemy import URL

from gateway.ledger.chain.seals import START, Anchor, SealedBatch, hash_batch_header
from gateway.ledger.records import AccessRecord
from shared.crypto.merkle import DIGEST_SIZE
from shared.database.engine import connect_driver, render_driver_url
from shared.database.locks import LEDGER_CHAIN

APPEND_S = 5.0
ENDING_S = 0.05
# Commits are durable whichever default the server has; keep-alives free the lock of a dead host.
SESSION = {
    "application_name": "ledger",
    "synchronous_commit": "on",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_NAME = re.compile(r"gateway-[1-9][0-9]{0,9}")

_HEAD = "SELECT number, header FROM ledger_seal WHERE chain = $1 ORDER BY number DESC LIMIT 1"
_BACKEND = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"
)
# One statement is one transaction and one round trip, so a batch is written whole or not at all.
_APPEND = """
    WITH sealed AS (
        INSERT INTO ledger_seal (chain, number, at, count, header, signature, leaves)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
    )
    INSERT INTO access_record (chain, number, index, id, at, agency, client, operation, purpose,
        dossier, outcome, subjects, record)
    SELECT $1, $2, place - 1, id, at, agency, client, operation, purpose, dossier, outcome,
        string_to_array(subjects, ','), record
    FROM unnest($8::uuid[], $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::text[], $15::text[], $16::text[], $17::bytea[]) WITH ORDINALITY
        AS r (id, at, agency, client, operation, purpose, dossier, outcome, subjects, record, place)
"""
# These columns serve searches; `subjects` follow them, separated by commas.
_FOUND_BY = attrgetter("id", "at", "agency", "client", "operation", "purpose", "dossier", "outcome")


class Backend(NamedTuple):
    """The server process of a connection. Its start is needed too, because a pid is reused."""

    pid: int
    started: datetime


class Chain:
    """A locked chain; `head` is its last batch. The lock ends with the connection."""

    def __init__(self, connection: asyncpg.Connection, name: str, backend: Backend) -> None:
        self.name, self.backend = name, backend
        self.head = START
        self._connection = connection

    @property
    def is_lost(self) -> bool:
        return bool(self._connection.is_closed())

    def call_when_lost(self, act: Callable[[], None]) -> None:
        self._connection.add_termination_listener(lambda _: act())

    async def append_sealed_batch(
        self, batch: SealedBatch, records: Sequence[AccessRecord], at: datetime
    ) -> None:
        """Append a batch durably; after an error, `is_batch_committed` shows the result."""
        number = self.head.number + 1
        seal = (self.name, number, at, len(records), batch.header.decode())
        columns = zip(*map(_FOUND_BY, records), strict=True)
        subjects = [",".join(record.subjects) for record in records]
        await self._connection.execute(
            _APPEND,
            *seal,
            batch.signature,
            b"".join(batch.leaves),
            *columns,
            subjects,
            batch.records,
            timeout=APPEND_S,
        )
        self.head = Anchor(number, hash_batch_header(batch.header))


def is_chain_name(text: str) -> bool:
    """Return whether the text has the form of the names that `acquire_chain` gives."""
    return _NAME.fullmatch(text) is not None


def build_stored_batch(
    header: str, signature: bytes, leaves: bytes, records: Sequence[bytes]
) -> SealedBatch:
    """Build a batch from its rows; only the audit decides whether it is complete."""
    parts = range(0, len(leaves), DIGEST_SIZE)
    return SealedBatch(
        header=header.encode(),
        signature=signature,
        leaves=tuple(leaves[at : at + DIGEST_SIZE] for at in parts),
        records=tuple(records),
    )


@asynccontextmanager
async def connect_ledger_database(url: URL) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect_driver(
        render_driver_url(url),
        timeout=5,
        command_timeout=APPEND_S,
        server_settings=SESSION,
    )
    try:
        yield connection
    finally:
        # A graceful close could block on a statement; the next connection resolves its result.
        connection.terminate()


async def acquire_chain(connection: asyncpg.Connection, preferred: str | None = None) -> Chain:
    """Lock the chain `preferred`, or else the first free one of gateway-1, gateway-2, …"""
    name = preferred
    if name is None or not await _try_chain_lock(connection, _chain_place_number(name)):
        place = 1
        while not await _try_chain_lock(connection, place):
            place += 1
        name = f"gateway-{place}"
    backend = await connection.fetchrow(_BACKEND)
    chain = Chain(connection, name, Backend(backend["pid"], backend["backend_start"]))
    await connection.execute(
        "INSERT INTO ledger_chain (chain) VALUES ($1) ON CONFLICT DO NOTHING", name
    )
    if head := await connection.fetchrow(_HEAD, name):
        chain.head = Anchor(head["number"], hash_batch_header(head["header"].encode()))
    return chain


async def is_batch_committed(
    connection: asyncpg.Connection, chain: str, backend: Backend, batch: SealedBatch
) -> bool:
    """Return whether the chain contains `batch`, whose append broke off.

    The backend of the append is ended first, so that the answer is final.
    """
    while await connection.fetch(_END, *backend):  # noqa: ASYNC110 -- the server sends no event
        await asyncio.sleep(ENDING_S)
    stored_header = await connection.fetchval(
        "SELECT header FROM ledger_seal WHERE chain = $1 AND number = $2",
        chain,
        batch.read_header().number,
    )
    return bool(stored_header == batch.header.decode())


async def _try_chain_lock(connection: asyncpg.Connection, place: int) -> bool:
    locked = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LEDGER_CHAIN, place)
    return bool(locked)


def _chain_place_number(name: str) -> int:
    return int(name.rpartition("-")[2])
