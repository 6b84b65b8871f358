"""Send the rows of the outbox to Kafka, signed and in order, and send them again on request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from sqlalchemy import URL, select

from shared.database import locks
from shared.database.engine import open_driver_transaction
from shared.database.errors import retry_during_outage
from shared.database.session import SessionFactory
from shared.events import DEAD
from shared.messaging.dead_letters import UNSENT_PARTITION
from shared.messaging.event_proofs import PROOF, EventSigner, Message
from shared.messaging.kafka import retry_during_broker_outage
from shared.messaging.outbox import SentMessage
from shared.messaging.worker_notifier import LETTERS, OUTBOX, listen_for_commits
from shared.observability.metrics import EVENTS_REFUSED, EVENTS_SENT

log = structlog.get_logger()

BATCH_SIZE = 1_000
POLL_S = 5.0


async def relay_outbox(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    signer: EventSigner,
    url: URL,
    stopping: asyncio.Event,
    *,
    replayed: asyncio.Event | None = None,
) -> None:
    """Send outbox rows to Kafka, in order, at least once; each commit wakes the relay.

    Return after the batch under way when `stopping` is set. The connection on which the relay
    listens also sets `replayed`, whenever an operator has replayed a dead letter.
    """
    async with _open_wake_event(url, stopping, replayed or asyncio.Event()) as wake:
        while not stopping.is_set():
            wake.clear()
            if await relay_batch(sessions, producer, signer) < BATCH_SIZE and not stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), POLL_S)


@retry_during_outage
@retry_during_broker_outage
async def relay_batch(
    sessions: SessionFactory, producer: AIOKafkaProducer, signer: EventSigner
) -> int:
    """Return the number of rows that left the outbox; 0 also where another relay holds the lock.

    An event that the broker refuses for its size becomes a dead letter, and the others go on.
    """
    async with open_driver_transaction(sessions) as connection:
        # One relay at a time, in any replica: two would reorder events.
        if not await connection.fetchval(_LOCK, locks.RELAY):
            return 0
        messages = [_Message(*row) for row in await connection.fetch(_OLDEST, BATCH_SIZE)]
        if messages:
            refused = await _send_all(producer, signer, messages)
            if refused:
                await connection.execute(_SET_ASIDE, refused, f"%{DEAD}", UNSENT_PARTITION)
            sent = {message.position for message in messages}.difference(refused)
            await connection.execute(_MOVE, sorted(sent))
    return len(messages)


class _Message(NamedTuple):
    position: int
    topic: str
    key: str
    value: bytes
    headers: dict[str, str]


_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
_OLDEST = "SELECT position, topic, key, value, headers FROM outbox ORDER BY position LIMIT $1"
_MOVE = (
    "WITH sent AS (DELETE FROM outbox WHERE position = ANY($1::bigint[]) RETURNING *)"
    " INSERT INTO outbox_sent (position, at, id, topic, key, value, headers)"
    " SELECT position, at, id, topic, key, value, headers FROM sent"
)


# The letter keeps the event; its replay returns it to the outbox. The copy of a
# dead letter, which has the topic `.dead`, is dropped: the letter itself is stored already.
_SET_ASIDE = (
    "WITH refused AS (DELETE FROM outbox WHERE position = ANY($1::bigint[]) RETURNING *)"
    " INSERT INTO dead_letter"
    ' (id, digest, at, topic, partition, "offset", key, value, headers, reason, state)'
    " SELECT id, sha256(convert_to('unsent ' || id::text, 'UTF8')), now(), topic, $3, position,"
    " key, value, headers,"
    " 'MessageSizeTooLargeError in relay_batch', 'open'"
    " FROM refused WHERE topic NOT LIKE $2"
    " ON CONFLICT (digest) DO UPDATE SET state = 'open'"
)
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


async def _send_all(
    producer: AIOKafkaProducer, signer: EventSigner, rows: Sequence[Any]
) -> list[int]:
    """Send the rows in order; return the positions of those that are too large for the broker."""
    try:
        await _send_batch(producer, signer, rows)
    except _TOO_LARGE:
        # A broker refuses the whole request for one message, so each is sent alone.
        return [row.position for row in rows if await _is_refused(producer, signer, row)]
    return []


async def _is_refused(producer: AIOKafkaProducer, signer: EventSigner, row: Any) -> bool:
    try:
        await _send_batch(producer, signer, [row])
    except _TOO_LARGE:
        EVENTS_REFUSED.labels(row.topic).inc()
    else:
        return False
    log.error("event_refused_for_its_size", topic=row.topic, position=row.position)
    return True


async def _send_batch(producer: AIOKafkaProducer, signer: EventSigner, rows: Sequence[Any]) -> None:
    messages = _sign_messages(signer, [_encode_row(row) for row in rows])
    outcomes = await _await_outcomes(producer, messages)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    for message in messages:
        EVENTS_SENT.labels(message.topic).inc()


async def _await_outcomes(producer: AIOKafkaProducer, messages: Sequence[Message]) -> list[object]:
    """Wait for every outcome, so that at a retry no older message can overtake a later one."""
    acknowledged: list[Awaitable[object]] = []
    failed: list[object] = []
    for message in messages:
        try:
            acknowledged.append(
                await producer.send(
                    message.topic, message.value, key=message.key, headers=list(message.headers)
                )
            )
        except Exception as error:  # noqa: BLE001 -- raised with the outcomes of those before it
            failed.append(error)
            break
    return [*await asyncio.gather(*acknowledged, return_exceptions=True), *failed]


def _encode_row(row: Any) -> Message:
    headers = [(name, content.encode()) for name, content in row.headers.items()]
    return Message(row.topic, row.key.encode(), row.value, headers)


def _sign_messages(signer: EventSigner, messages: Sequence[Message]) -> list[Message]:
    """Add the proof to each event; the copy of a dead letter keeps the headers that it came with.

    Proofs are made at each sending and not stored: a replay is signed with the present key.
    """
    proofs = iter(
        signer.prove([message for message in messages if not message.topic.endswith(DEAD)])
    )
    return [
        message
        if message.topic.endswith(DEAD)
        else message._replace(headers=[*message.headers, (PROOF, next(proofs))])
        for message in messages
    ]


@asynccontextmanager
async def _open_wake_event(
    url: URL, stopping: asyncio.Event, replayed: asyncio.Event
) -> AsyncIterator[asyncio.Event]:
    """Yield an event that each transaction which wrote to the outbox sets, and `stopping` too."""
    wake = asyncio.Event()
    # In a task group, so that a listener that fails ends the relay.
    async with asyncio.TaskGroup() as tasks:
        around = [
            tasks.create_task(listen_for_commits(url, {OUTBOX: wake, LETTERS: replayed})),
            tasks.create_task(_wake_at(stopping, wake)),
        ]
        yield wake
        for task in around:
            task.cancel()


async def _wake_at(stopping: asyncio.Event, wake: asyncio.Event) -> None:
    await stopping.wait()
    wake.set()


async def replay_sent_events(
    sessions: SessionFactory,
    producer: AIOKafkaProducer,
    signer: EventSigner,
    since: datetime,
    stopping: asyncio.Event | None = None,
) -> int:
    """Send the messages sent since then again, in order; every inbox drops those it has.

    Return the number of messages, after the batch under way where `stopping` is set.
    """
    after, count = -1, 0
    while messages := await _list_sent_after(sessions, after, since):
        if stopping and stopping.is_set():
            return count
        await retry_during_broker_outage(_send_all)(producer, signer, messages)
        after, count = messages[-1].position, count + len(messages)
    log.info("outbox_replayed", count=count)
    return count


@retry_during_outage
async def _list_sent_after(
    sessions: SessionFactory, position: int, since: datetime
) -> Sequence[Any]:
    query = (
        select(SentMessage.__table__)
        .where(SentMessage.position > position, SentMessage.sent_at >= since)
        .order_by(SentMessage.position)
        .limit(BATCH_SIZE)
    )
    async with sessions() as session:
        return (await session.execute(query)).all()
