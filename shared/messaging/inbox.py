"""The inbox: which consumer has handled which event, so that each event takes effect once."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, func, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.bulk import delete_in_slices
from shared.database.session import Base
from shared.events import Event

# A day longer than sent events are kept, so that an event that can be sent again is still known.
RETENTION_DAYS = 8


class HandledEvent(Base):
    """An event id that one consumer of this service has handled and will not handle again."""

    __tablename__ = "handled_event"

    consumer: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


ApplyEvents = Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A function that applies the events of one batch as a set, in order, and its consumer's name.

    The inbox is kept for each consumer by itself, so that a handler with a new name receives events
    that other consumers of the service have handled before.
    """

    consumer: str
    apply: ApplyEvents


Handlers = Mapping[type[Event], Sequence[EventHandler]]
# A consumer's name and the id of an event.
InboxKey = tuple[str, UUID]


async def claim_events(session: AsyncSession, keys: Collection[InboxKey]) -> set[InboxKey]:
    """Enter the keys into the inbox and return those that were not there.

    The keys are entered in one order everywhere, so that two deliveries of the same events cannot
    deadlock.
    """
    ordered = sorted(keys)
    columns = {
        "consumers": [consumer for consumer, _ in ordered],
        "ids": [event_id for _, event_id in ordered],
    }
    return {(row.consumer, row.id) for row in await session.execute(_CLAIM, columns)}


_CLAIM = text(
    "INSERT INTO handled_event (consumer, id)"
    " SELECT * FROM unnest(CAST(:consumers AS varchar[]), CAST(:ids AS uuid[]))"
    " ON CONFLICT DO NOTHING RETURNING consumer, id"
)


async def renew_inbox_rows(session: AsyncSession) -> None:
    """Keep all rows for the whole retention from now on, as their events may be sent again."""
    await session.execute(update(HandledEvent).values(at=func.now()))


async def delete_expired_inbox_rows(session: AsyncSession) -> None:
    await delete_in_slices(session, HandledEvent, f"at < now() - interval '{RETENTION_DAYS} days'")
