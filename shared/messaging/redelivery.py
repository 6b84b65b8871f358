"""Hand the dead letters that an operator replays to the handlers once more.

They are not published again, because no service may publish to the topic of another. An event of
this service that no broker took has reached no handler: it returns to the outbox.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import ConsumerRecord
from sqlalchemy import Update, func, select, update

from shared.codes.time import utc_now
from shared.database.errors import retry_during_outage
from shared.database.session import SessionFactory
from shared.events import EVENTS, UnknownEventError
from shared.messaging.consumer import handle_records
from shared.messaging.dead_letters import UNSENT_PARTITION, DeadLetter
from shared.messaging.event_proofs import EventVerifier
from shared.messaging.inbox import Handlers
from shared.messaging.outbox import OutboxRow, add_outbox_rows

# For letters whose replay woke nobody, as where the process that replayed them died.
POLL_S = 5.0
MAX_LETTERS = 100


async def redeliver_letters(
    sessions: SessionFactory, handlers: Handlers, verifier: EventVerifier, replayed: asyncio.Event
) -> None:
    """Redeliver letters for ever, whenever `replayed` is set.

    At the start replay those whose types are defined by now.
    """
    await replay_known_types(sessions)
    while True:
        replayed.clear()
        if not await redeliver_batch(sessions, handlers, verifier):
            with suppress(TimeoutError):
                await asyncio.wait_for(replayed.wait(), POLL_S)


@retry_during_outage
async def replay_known_types(sessions: SessionFactory) -> int:
    """Replay the open letters whose type an earlier build did not define; return the number."""
    replayed = (
        update(DeadLetter)
        .where(
            DeadLetter.state == "open",
            func.split_part(DeadLetter.reason, " ", 1) == UnknownEventError.__name__,
            DeadLetter.headers["ce_type"].astext.in_(sorted(EVENTS)),
        )
        .values(state="replaying")
        .returning(DeadLetter.id)
    )
    async with sessions.begin() as session:
        return len((await session.scalars(replayed)).all())


async def redeliver_batch(
    sessions: SessionFactory, handlers: Handlers, verifier: EventVerifier
) -> int:
    """Handle the oldest replayed letters, each by itself; return how many.

    A letter that fails again is open again. One that a process left in the middle is handled
    again, and the inbox drops it.
    """
    letters = await _list_replaying(sessions)
    for letter in letters:
        if letter.partition == UNSENT_PARTITION:
            await _return_to_outbox(sessions, letter)
            continue
        await handle_records(sessions, [_as_received(letter)], handlers, verifier)
        await _mark_replayed(sessions, letter)
    return len(letters)


@retry_during_outage
async def _list_replaying(sessions: SessionFactory) -> Sequence[DeadLetter]:
    query = (
        select(DeadLetter)
        .where(DeadLetter.state == "replaying")
        .order_by(DeadLetter.at, DeadLetter.id)
        .limit(MAX_LETTERS)
    )
    async with sessions() as session:
        return (await session.scalars(query)).all()


@retry_during_outage
async def _return_to_outbox(sessions: SessionFactory, letter: DeadLetter) -> None:
    topic, key, value, headers = letter.topic, letter.key, letter.value, letter.headers
    row = OutboxRow(letter.id, utc_now(), topic, key, value, headers)
    async with sessions.begin() as session:
        await session.execute(_build_replayed_update(letter))
        add_outbox_rows(session, [row])


@retry_during_outage
async def _mark_replayed(sessions: SessionFactory, letter: DeadLetter) -> None:
    async with sessions.begin() as session:
        await session.execute(_build_replayed_update(letter))


def _build_replayed_update(letter: DeadLetter) -> Update:
    return (
        update(DeadLetter)
        .where(DeadLetter.id == letter.id, DeadLetter.state == "replaying")
        .values(state="replayed")
    )


def _as_received(letter: DeadLetter) -> ConsumerRecord:
    return ConsumerRecord(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        timestamp=0,
        timestamp_type=0,
        key=letter.key.encode(),
        value=letter.value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=[(name, content.encode()) for name, content in letter.headers.items()],
    )
