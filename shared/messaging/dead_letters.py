"""Store messages that could not be handled, with the reason, and publish a copy of each.

Equal messages share a row. A letter stays until an operator replays or discards it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord
from sqlalchemy import BigInteger, DateTime, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.codes.time import utc_now
from shared.database.session import Base
from shared.events import DEAD
from shared.messaging.event_proofs import EventUnprovenError
from shared.messaging.kafka import MAX_MESSAGE_BYTES, count_message_bytes
from shared.messaging.outbox import OutboxRow, add_outbox_rows
from shared.observability.metrics import DEAD_LETTERS

# The partition of a letter that is an event of this service which no broker took.
UNSENT_PARTITION = -1

DeadLetterState = Literal["open", "replaying", "replayed", "discarded"]


class DeadLetter(Base):
    __tablename__ = "dead_letter"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    topic: Mapped[str]
    partition: Mapped[int]
    offset: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str]
    value: Mapped[bytes]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")


class Rejected(NamedTuple):
    """A message that cannot be handled, and the reason."""

    record: ConsumerRecord
    error: Exception


async def store_dead_letters(session: AsyncSession, rejected: Sequence[Rejected]) -> None:
    """Store the messages in one statement and publish those that are open to the topics `.dead`.

    A message that is stored already is open again, unless an operator discarded it.
    """
    letters = {letter["digest"]: letter for letter in map(_make_letter, rejected)}
    if not letters:
        return
    stored = insert(DeadLetter).values(list(letters.values()))
    refreshed = stored.on_conflict_do_update(
        index_elements=["digest"],
        set_={"state": "open", "reason": stored.excluded.reason},
        # A letter that an operator discarded stays so when the axis is refilled.
        where=DeadLetter.state != "discarded",
    ).returning(DeadLetter.digest)
    opened = set((await session.scalars(refreshed)).all())
    copies = [_make_dead_row(letter) for digest, letter in letters.items() if digest in opened]
    # A copy may be larger than the message, because an invalid byte of a key or a header becomes
    # three. No broker would take one that exceeds its limit: that letter has no copy.
    rows = [
        row
        for row in copies
        if count_message_bytes(row.key, row.value, row.headers) <= MAX_MESSAGE_BYTES
    ]
    if rows:
        add_outbox_rows(session, rows)


def _make_letter(rejected: Rejected) -> dict[str, Any]:
    record, error = rejected
    return {
        "id": uuid4(),
        "digest": _compute_digest(record, error),
        "at": utc_now(),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _to_storable_text(record.key),
        "value": record.value or b"",
        "headers": {
            _to_storable_text(name.encode()): _to_storable_text(value)
            for name, value in record.headers
        },
        # The text of an error may repeat a text of the message; its kind and place do not.
        "reason": _describe_error(error),
        "state": "open",
    }


def _make_dead_row(letter: Mapping[str, Any]) -> OutboxRow:
    headers = letter["headers"] | {"error": letter["reason"]}
    topic = letter["topic"] + DEAD
    return OutboxRow(uuid4(), utc_now(), topic, letter["key"], letter["value"], headers)


def _to_storable_text(raw: bytes | None) -> str:
    """Decode any bytes to text that PostgreSQL can store, which has no character NUL."""
    return (raw or b"").decode(errors="replace").replace("\0", "\ufffd")


def _compute_digest(record: ConsumerRecord, error: Exception) -> bytes:
    event_id = dict(record.headers).get("ce_id") or b""
    parts = [record.topic.encode(), event_id, record.key or b"", record.value or b""]
    if isinstance(error, EventUnprovenError):
        # A copy without a proof must not stand for the message: it may have been discarded.
        parts.append(b"unproven")
    return hashlib.sha256(b"\0".join(parts)).digest()


def _describe_error(error: Exception) -> str:
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f" in {frame.tb_frame.f_code.co_qualname}" if frame else ""
    return f"{type(error).__name__}{where}"


async def measure_dead_letters(session: AsyncSession) -> None:
    query = select(func.count()).where(DeadLetter.state == "open")
    DEAD_LETTERS.set(await session.scalar(query) or 0)
