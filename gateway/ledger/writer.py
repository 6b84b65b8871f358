"""Make access records durable in batches before their calls are answered.

One task of each process collects records while the last batch is written and a little longer, seals
them and writes them in one statement.

No record of an access is dropped. Where records cannot be written, calls are therefore refused
*before* they have an effect: those that touch personal data or rights at once, all others when
`MAX_PENDING_RECORDS` records wait in memory; a process that dies loses at most these. Calls without
a client are counted in memory and recorded as sums of a minute (`gateway.ledger.sums`); a process
that dies loses the counts of that minute.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import asyncpg
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import URL

from gateway.http1.deadline import Deadline, require_current_task
from gateway.ledger.chain.chain import (
    Backend,
    Chain,
    acquire_chain,
    connect_ledger_database,
    is_batch_committed,
)
from gateway.ledger.chain.receipts import write_seal_members
from gateway.ledger.chain.seals import SealedBatch, seal_record_batch
from gateway.ledger.problems import LedgerAway
from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import AccessRecord
from gateway.ledger.sums import AnonymousCalls
from gateway.operations.model import Operation
from shared.codes.time import utc_now
from shared.database.errors import is_outage

log = structlog.get_logger()

COLLECT_S = 0.001
# Records without a waiting call are collected for longer, because each batch has a fixed cost; they
# are written with the next record that has one.
GATHER_S = 0.02
MAX_BATCH_RECORDS = 500
MAX_PENDING_RECORDS = 50_000
MAX_RECORD_WAIT_S = 3.0
RETRY_S = 0.2
SUM_UP_S = 1.0
DRAIN_S = 5.0

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


class PendingRecord(NamedTuple):
    record: AccessRecord
    canonical: bytes
    durable: asyncio.Future[bytes] | None

    def settle_seal(self, seal: bytes) -> None:
        if self.durable and not self.durable.done():
            self.durable.set_result(seal)


@dataclass(frozen=True, slots=True)
class UnconfirmedBatch:
    """A batch whose writing broke off, with its backend: the chain may contain it or not."""

    chain: str
    backend: Backend
    batch: SealedBatch
    entries: list[PendingRecord]


class LedgerWriter:
    """The ledger of the forwarder. `write` must run as a task while it is used."""

    def __init__(self, url: URL, key: Ed25519PrivateKey) -> None:
        self._url, self._key, self._sums = url, key, AnonymousCalls(key)
        self._pending: deque[PendingRecord] = deque()
        self._arrived, self._due = asyncio.Event(), asyncio.Event()
        self._unconfirmed: UnconfirmedBatch | None = None
        self._open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        PENDING.set_function(lambda: len(self._pending))

    def require_open(self, operation: Operation) -> None:
        """Raise LedgerAway where a call must not begin, because it could not be recorded."""
        if (operation.recorded and not self._open) or self._is_full:
            TURNED_AWAY.inc()
            raise LedgerAway

    async def record(self, draft: AccessRecordDraft) -> bytes:
        """Return the seal for the receipt once the record is durable; empty for a summed call.

        Raise LedgerAway when that takes too long. The record is then still written later, because
        the call may have had its effect. A call without a client is summed, and has no receipt.
        """
        if draft.client is None:
            self.note(draft)
            return b""
        task = require_current_task(self._loop)
        durable: asyncio.Future[bytes] = task.get_loop().create_future()
        self._queue_record(draft.build_record(), durable)
        try:
            with Deadline(MAX_RECORD_WAIT_S, task):
                return await durable
        except TimeoutError:
            raise LedgerAway from None

    def announce(self, draft: AccessRecordDraft) -> None:
        self.note(draft)
        self._due.set()

    def note(self, draft: AccessRecordDraft) -> None:
        if draft.client is None:
            self._sums.add_anonymous_call(draft, utc_now())
        else:
            self._queue_record(draft.build_record(), None)

    async def check_chain_held(self) -> None:
        if not self._open:
            raise ChainNotHeldError

    async def sum_calls(self) -> None:
        """Record the sums of each minute that is over, until cancelled."""
        while True:
            await asyncio.sleep(SUM_UP_S)
            for record in self._sums.take_ended_sums(utc_now()):
                self._queue_record(record, None)

    def record_all_sums(self) -> None:
        """Record all sums up to now."""
        for record in self._sums.take_all_sums():
            self._queue_record(record, None)

    async def drain(self) -> None:
        """Return when all records are written, or after `DRAIN_S`."""
        self.record_all_sums()
        self._due.set()
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._idle.wait()
        except TimeoutError:
            log.error("ledger_not_drained", records=len(self._pending))  # noqa: TRY400 -- no trace

    async def write(self) -> None:
        """Hold a chain and append to it until cancelled; resume after an outage."""
        name: str | None = None
        self._loop = asyncio.get_running_loop()
        while True:
            try:
                async with connect_ledger_database(self._url) as connection:
                    await self._resolve_unconfirmed(connection)
                    chain = await acquire_chain(connection, name)
                    if name != chain.name:
                        log.info("chain_held", chain=chain.name, number=chain.head.number)
                    name, self._open = chain.name, True
                    await self._append_until_lost(chain)
            except Exception as error:  # noqa: BLE001 -- after any error calls stay unanswered until it holds a chain
                self._note_lost_chain(error)
            await asyncio.sleep(RETRY_S)

    @property
    def _is_full(self) -> bool:
        return len(self._pending) >= MAX_PENDING_RECORDS

    def _note_lost_chain(self, error: Exception) -> None:
        if self._open or not is_outage(error):
            log.error("ledger_away", error=type(error).__name__, records=len(self._pending))
        self._open = False

    def _queue_record(self, record: AccessRecord, durable: asyncio.Future[bytes] | None) -> None:
        self._pending.append(PendingRecord(record, record.encode_canonical_json(), durable))
        if durable or len(self._pending) >= MAX_BATCH_RECORDS:
            self._due.set()
        self._arrived.set()
        self._idle.clear()

    async def _append_until_lost(self, chain: Chain) -> None:
        chain.call_when_lost(self._make_batch_due)
        crowded = False
        while True:
            await self._await_records(chain)
            began = asyncio.get_running_loop().time()
            # A single call is written at once.
            if crowded and len(self._pending) < MAX_BATCH_RECORDS:
                await asyncio.sleep(COLLECT_S)
            entries = self._take_next_batch()
            crowded = sum(entry.durable is not None for entry in entries) > 1
            await self._append_next_batch(chain, entries)
            RECORDS.inc(len(entries))
            BATCH_SECONDS.observe(asyncio.get_running_loop().time() - began)

    async def _await_records(self, chain: Chain) -> None:
        """Wait until a batch is due; raise ConnectionError if the chain is lost."""
        while not self._pending and not chain.is_lost:
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()
        gathered = asyncio.get_running_loop().call_later(GATHER_S, self._due.set)
        await self._due.wait()
        gathered.cancel()
        if chain.is_lost:
            raise ConnectionError("the connection that holds the chain was lost")

    def _make_batch_due(self) -> None:
        self._due.set()
        self._arrived.set()

    def _take_next_batch(self) -> list[PendingRecord]:
        count = min(len(self._pending), MAX_BATCH_RECORDS)
        taken = [self._pending.popleft() for _ in range(count)]
        if not self._pending:
            self._due.clear()
        return taken

    async def _append_next_batch(self, chain: Chain, entries: list[PendingRecord]) -> None:
        at, canonical = utc_now(), [entry.canonical for entry in entries]
        batch = seal_record_batch(
            canonical, chain=chain.name, after=chain.head, at=at, key=self._key
        )
        self._unconfirmed = UnconfirmedBatch(chain.name, chain.backend, batch, entries)
        await chain.append_sealed_batch(batch, [entry.record for entry in entries], at)
        self._settle_unconfirmed()

    async def _resolve_unconfirmed(self, connection: asyncpg.Connection) -> None:
        """Settle or requeue the batch whose statement broke off.

        Each of its records is then written exactly once.
        """
        if (doubt := self._unconfirmed) is None:
            return
        if await is_batch_committed(connection, doubt.chain, doubt.backend, doubt.batch):
            self._settle_unconfirmed()
            return
        self._pending.extendleft(reversed(doubt.entries))
        self._make_batch_due()
        self._unconfirmed = None

    def _settle_unconfirmed(self) -> None:
        assert self._unconfirmed
        batch = self._unconfirmed.batch
        members = write_seal_members(batch.header, batch.signature)
        for entry in self._unconfirmed.entries:
            entry.settle_seal(members)
        self._unconfirmed = None
