"""Make access records durable in batches before their calls are answered.

One task of each process collects records while the last batch is written and a little longer, seals
them and writes them in one statement.

No record of an access is dropped. Where records cannot be written, calls are therefore refused
*before* they have an effect: those that touch personal data or rights at once, all others when
`MOST_PENDING` records wait in memory; a process that dies loses at most these. Calls without a
client are counted in memory and recorded as sums of a minute (`gateway.ledger.sums`); a process
that dies loses the counts of that minute.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import URL

from gateway.http1.deadline import Wait, present_task
from gateway.ledger.chain.chain import Backend, Chain, claim, connected, outcome
from gateway.ledger.chain.receipts import seal_members
from gateway.ledger.chain.seals import SealedBatch, seal
from gateway.ledger.problems import LedgerAway
from gateway.ledger.record_draft import Exchange
from gateway.ledger.records import AccessRecord
from gateway.ledger.sums import AnonymousCalls
from gateway.operations.model import Operation
from shared.database.errors import is_outage

log = structlog.get_logger()

COLLECT_SECONDS = 0.001
# Records without a waiting call are collected for longer, because each batch has a fixed cost; they
# are written with the next record that has one.
GATHER_SECONDS = 0.02
MOST_IN_BATCH = 500
MOST_PENDING = 50_000
PATIENCE_SECONDS = 3.0
RETRY_SECONDS = 0.2
SUM_UP_SECONDS = 1.0
DRAIN_SECONDS = 5.0

RECORDS = Counter("ledger_records_total", "Access records made durable")
BATCH_SECONDS = Histogram(
    "ledger_batch_seconds",
    "Seconds from the time at which a batch is due until it is durable",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3),
)
PENDING = Gauge("ledger_records_pending", "Access records not yet durable")
TURNED_AWAY = Counter(
    "ledger_calls_turned_away_total", "Calls refused because the ledger cannot be written"
)


class ChainNotHeldError(Exception):
    """No chain of the ledger can be written now."""


class Entry(NamedTuple):
    record: AccessRecord
    canonical: bytes
    durable: asyncio.Future[bytes] | None

    def settle(self, seal: bytes) -> None:
        if self.durable and not self.durable.done():
            self.durable.set_result(seal)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A batch whose writing broke off, with its backend: the chain may contain it or not."""

    chain: str
    backend: Backend
    batch: SealedBatch
    entries: list[Entry]


class LedgerWriter:
    """The ledger of the forwarder. `write` must run as a task while it is used."""

    def __init__(self, url: URL, key: Ed25519PrivateKey) -> None:
        self._url, self._key, self._sums = url, key, AnonymousCalls(key)
        self._pending: deque[Entry] = deque()
        self._arrived, self._due = asyncio.Event(), asyncio.Event()
        self._doubt: Doubt | None = None
        self._open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        PENDING.set_function(lambda: len(self._pending))

    def require_open(self, operation: Operation) -> None:
        """Raise LedgerAway where a call must not begin, because it could not be recorded."""
        if (operation.recorded and not self._open) or self._full:
            TURNED_AWAY.inc()
            raise LedgerAway

    async def record(self, exchange: Exchange) -> bytes:
        """Return the seal for the receipt once the record is durable; empty for a summed call.

        Raise LedgerAway when that takes too long. The record is then still written later, because
        the call may have had its effect. A call without a client is summed, and has no receipt.
        """
        if exchange.client is None:
            self.note(exchange)
            return b""
        task = present_task(self._loop)
        durable: asyncio.Future[bytes] = task.get_loop().create_future()
        self._add(AccessRecord.of(exchange), durable)
        try:
            with Wait(PATIENCE_SECONDS, task):
                return await durable
        except TimeoutError:
            raise LedgerAway from None

    def announce(self, exchange: Exchange) -> None:
        self.note(exchange)
        self._due.set()

    def note(self, exchange: Exchange) -> None:
        if exchange.client is None:
            self._sums.add(exchange, datetime.now(UTC))
        else:
            self._add(AccessRecord.of(exchange), None)

    async def check_held(self) -> None:
        if not self._open:
            raise ChainNotHeldError

    async def sum_up(self) -> None:
        """Record the sums of each minute that is over, until cancelled."""
        while True:
            await asyncio.sleep(SUM_UP_SECONDS)
            for record in self._sums.take(datetime.now(UTC)):
                self._add(record, None)

    def add_all_sums(self) -> None:
        """Record all sums up to now."""
        for record in self._sums.take_all():
            self._add(record, None)

    async def drain(self) -> None:
        """Return when all records are written, or after `DRAIN_SECONDS`."""
        self.add_all_sums()
        self._due.set()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.error("ledger_not_drained", records=len(self._pending))  # noqa: TRY400 -- no trace

    async def write(self) -> None:
        """Hold a chain and append to it until cancelled; resume after an outage."""
        name: str | None = None
        self._loop = asyncio.get_running_loop()
        while True:
            try:
                async with connected(self._url) as connection:
                    await self._resolve_doubt(connection)
                    chain = await claim(connection, name)
                    if name != chain.name:
                        log.info("chain_held", chain=chain.name, number=chain.head.number)
                    name, self._open = chain.name, True
                    await self._append_all(chain)
            except Exception as error:  # noqa: BLE001 -- after any error calls stay unanswered until it holds a chain
                self._lose(error)
            await asyncio.sleep(RETRY_SECONDS)

    @property
    def _full(self) -> bool:
        return len(self._pending) >= MOST_PENDING

    def _lose(self, error: Exception) -> None:
        if self._open or not is_outage(error):
            log.error("ledger_away", error=type(error).__name__, records=len(self._pending))
        self._open = False

    def _add(self, record: AccessRecord, durable: asyncio.Future[bytes] | None) -> None:
        self._pending.append(Entry(record, record.canonical(), durable))
        if durable or len(self._pending) >= MOST_IN_BATCH:
            self._due.set()
        self._arrived.set()
        self._idle.clear()

    async def _append_all(self, chain: Chain) -> None:
        chain.when_lost(self._hurry)
        crowded = False
        while True:
            await self._await_records(chain)
            began = asyncio.get_running_loop().time()
            # A single call is written at once.
            if crowded and len(self._pending) < MOST_IN_BATCH:
                await asyncio.sleep(COLLECT_SECONDS)
            entries = self._take()
            crowded = sum(entry.durable is not None for entry in entries) > 1
            await self._append(chain, entries)
            RECORDS.inc(len(entries))
            BATCH_SECONDS.observe(asyncio.get_running_loop().time() - began)

    async def _await_records(self, chain: Chain) -> None:
        """Wait until a batch is due; raise ConnectionError if the chain is lost."""
        while not self._pending and not chain.lost:
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()
        gathered = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._due.set)
        await self._due.wait()
        gathered.cancel()
        if chain.lost:
            raise ConnectionError("the connection that holds the chain was lost")

    def _hurry(self) -> None:
        self._due.set()
        self._arrived.set()

    def _take(self) -> list[Entry]:
        count = min(len(self._pending), MOST_IN_BATCH)
        taken = [self._pending.popleft() for _ in range(count)]
        if not self._pending:
            self._due.clear()
        return taken

    async def _append(self, chain: Chain, entries: list[Entry]) -> None:
        at, canonical = datetime.now(UTC), [entry.canonical for entry in entries]
        batch = seal(canonical, chain=chain.name, after=chain.head, at=at, key=self._key)
        self._doubt = Doubt(chain.name, chain.backend, batch, entries)
        await chain.append(batch, [entry.record for entry in entries], at)
        self._settle_doubt()

    async def _resolve_doubt(self, connection: asyncpg.Connection) -> None:
        """Settle or requeue the batch whose statement broke off.

        Each of its records is then written exactly once.
        """
        if (doubt := self._doubt) is None:
            return
        if await outcome(connection, doubt.chain, doubt.backend, doubt.batch):
            self._settle_doubt()
            return
        self._pending.extendleft(reversed(doubt.entries))
        self._hurry()
        self._doubt = None

    def _settle_doubt(self) -> None:
        assert self._doubt
        batch = self._doubt.batch
        members = seal_members(batch.header, batch.signature)
        for entry in self._doubt.entries:
            entry.settle(members)
        self._doubt = None
