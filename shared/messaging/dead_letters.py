"""Messages that could not be handled: kept with their reason, shown, sent again or discarded."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, DateTime, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.codes.time import StoredInstant
from shared.database.session import Base
from shared.events import DEAD
from shared.messaging.event_proofs import EventUnprovenError
from shared.messaging.kafka import MAX_MESSAGE_BYTES
from shared.messaging.outbox import Row, write
from shared.observability.metrics import DEAD_LETTERS
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import CallContext, Caller, NotAllowed
from shared.web.dependencies import Session
from shared.web.pagination import Page, PageQuery, Paging
from shared.web.problems import Problem

State = Literal["open", "replaying", "replayed", "discarded"]


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


class DeadLetterNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such dead letter"
    type = "/problems/dead-letter-not-found"
    advice = "List them; those of each state are listed apart."


class DeadLetterSettled(Problem):
    status = HTTPStatus.CONFLICT
    title = "This dead letter was replayed or discarded before"
    type = "/problems/dead-letter-settled"
    advice = "Nothing is left to do with it."


class RightLimited(NotAllowed):
    title = "The right is limited, and no limit can be held against a dead letter"
    type = "/problems/right-limited"


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
    # A copy too large for the axis would stop the relay; it is kept here all the same.
    rows = [
        _dead_row(letter)
        for digest, letter in letters.items()
        if digest in opened and len(letter["value"]) <= MAX_MESSAGE_BYTES
    ]
    if rows:
        write(session, rows)


def _make_letter(rejected: Rejected) -> dict[str, Any]:
    record, error = rejected
    return {
        "id": uuid4(),
        "digest": _digest(record, error),
        "at": datetime.now(UTC),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _storable(record.key),
        "value": record.value or b"",
        "headers": {_storable(name.encode()): _storable(value) for name, value in record.headers},
        # The text of an error may repeat a text of the message; its kind and place do not.
        "reason": _reason(error),
        "state": "open",
    }


def _dead_row(letter: Mapping[str, Any]) -> Row:
    headers = letter["headers"] | {"error": letter["reason"]}
    topic = letter["topic"] + DEAD
    return Row(uuid4(), datetime.now(UTC), topic, letter["key"], letter["value"], headers)


def _storable(raw: bytes | None) -> str:
    """Text that PostgreSQL takes, whatever the bytes were: it has no character NUL."""
    return (raw or b"").decode(errors="replace").replace("\0", "\ufffd")


def _digest(record: ConsumerRecord, error: Exception) -> bytes:
    event_id = dict(record.headers).get("ce_id") or b""
    parts = [record.topic.encode(), event_id, record.key or b"", record.value or b""]
    if isinstance(error, EventUnprovenError):
        # A copy without a proof must not stand for the message: it may have been discarded.
        parts.append(b"unproven")
    return hashlib.sha256(b"\0".join(parts)).digest()


def _reason(error: Exception) -> str:
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f" in {frame.tb_frame.f_code.co_qualname}" if frame else ""
    return f"{type(error).__name__}{where}"


async def list_dead_letters(
    session: AsyncSession, state: State, paging: PageQuery | None = None
) -> Sequence[DeadLetter]:
    """The newest first: all of them, or one more than a page holds."""
    query = (
        select(DeadLetter)
        .where(DeadLetter.state == state)
        .order_by(DeadLetter.at.desc(), DeadLetter.id.desc())
    )
    if paging:
        query = query.limit(paging.limit + 1)
        if after := paging.key(StoredInstant, UUID):
            query = query.where(tuple_(DeadLetter.at, DeadLetter.id) < after)
    return (await session.scalars(query)).all()


async def read_dead_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    if (letter := await session.get(DeadLetter, letter_id)) is None:
        raise DeadLetterNotFound
    return letter


async def replay_dead_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    """Have the worker handle it once more.

    The inbox drops an event handled in the last `REMEMBERED_DAYS`; after that a handler must, by
    the version it has.
    """
    return await _settle(session, letter_id, "replaying")


async def replay_open_letters(session: AsyncSession) -> int:
    """Have all of them handled once more, the oldest first; returns how many."""
    replaying = update(DeadLetter).where(DeadLetter.state == "open").values(state="replaying")
    return len((await session.scalars(replaying.returning(DeadLetter.id))).all())


async def discard_dead_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    return await _settle(session, letter_id, "discarded")


async def _settle(session: AsyncSession, letter_id: UUID, state: State) -> DeadLetter:
    letter = await session.get(DeadLetter, letter_id, with_for_update=True)
    if letter is None:
        raise DeadLetterNotFound
    if letter.state != "open":
        raise DeadLetterSettled(state=letter.state)
    letter.state = state
    return letter


async def measure_dead_letters(session: AsyncSession) -> None:
    query = select(func.count()).where(DeadLetter.state == "open")
    DEAD_LETTERS.set(await session.scalar(query) or 0)


async def _unlimited(caller: Caller) -> CallContext:
    """Whose a message is, that nobody could read, cannot be told: so who sees one may see all."""
    right = caller.right
    if any(limit is not None for limit in (right.procedures, right.fields, right.agencies)):
        raise RightLimited("Ask for a right to all procedures, fields and agencies.")
    return caller


Unlimited = Annotated[CallContext, Depends(_unlimited)]


class DeadLetterOut(BaseModel):
    """`reason` names the kind of error and where it arose, never what stood in the message."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    topic: str
    partition: int
    offset: int
    key: str
    reason: str
    state: State
    headers: dict[str, str]


class DeadLetterContent(DeadLetterOut):
    content: str


def dead_letter_routes(prefix: str) -> APIRouter:
    """The same four routes in every service, for operators."""
    router = Router(prefix=f"{prefix}/dead-letters", tags=["dead letters"])

    @router.get("")
    async def list_all(
        _: Unlimited, session: Session, paging: Paging, state: State = "open"
    ) -> Page[DeadLetterOut]:
        rows = list(await list_dead_letters(session, state, paging))
        page, following = paging.cut(rows, lambda letter: (letter.at, str(letter.id)))
        return Page(items=[DeadLetterOut.model_validate(one) for one in page], next=following)

    @router.get("/{letter_id}")
    async def read(_: Unlimited, session: Session, letter_id: UUID) -> DeadLetterContent:
        letter = await read_dead_letter(session, letter_id)
        shown = DeadLetterOut.model_validate(letter).model_dump()
        return DeadLetterContent(**shown, content=letter.value.decode(errors="replace"))

    @router.post("/{letter_id}/replay", response_model=DeadLetterOut)
    async def send_again(_: Unlimited, session: Session, letter_id: UUID) -> DeadLetter:
        return await replay_dead_letter(session, letter_id)

    @router.delete("/{letter_id}", response_model=DeadLetterOut)
    async def discard(_: Unlimited, session: Session, letter_id: UUID) -> DeadLetter:
        return await discard_dead_letter(session, letter_id)

    return router
