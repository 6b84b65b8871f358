"""List, replay and discard dead letters; the routes are the same in every service."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.codes.time import StoredInstant
from shared.database.session import act_after_commit
from shared.messaging.dead_letters import DeadLetter, DeadLetterState
from shared.messaging.worker_notifier import notify_redelivery
from shared.web.bodies.strict_parsing import Router
from shared.web.calls.auth import CallContext, Caller, NotAllowed
from shared.web.dependencies import Session
from shared.web.pagination import Keyset, ListFilter, Page, PageParametersQuery
from shared.web.problems import Problem


class DeadLetterNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such dead letter"
    type = "/problems/dead-letter-not-found"
    advice = "List the dead letters: one `state` at a time is listed."


class DeadLetterSettled(Problem):
    status = HTTPStatus.CONFLICT
    title = "This dead letter was replayed or discarded before"
    type = "/problems/dead-letter-settled"
    advice = "Nothing is left to do with it."


class RightLimited(NotAllowed):
    title = "The right is limited, and no limit can be held against a dead letter"
    type = "/problems/right-limited"
    advice = "Ask for a right to all procedures, fields and agencies."


async def list_dead_letters(
    session: AsyncSession, state: DeadLetterState, keyset: Keyset | None = None
) -> Sequence[DeadLetter]:
    """Return dead letters, the newest first: all, or one more than a page holds."""
    query = (
        select(DeadLetter)
        .where(DeadLetter.state == state)
        .order_by(DeadLetter.at.desc(), DeadLetter.id.desc())
    )
    if keyset:
        query = query.limit(keyset.limit + 1)
        if after := keyset.key(StoredInstant, UUID):
            query = query.where(tuple_(DeadLetter.at, DeadLetter.id) < after)
    return (await session.scalars(query)).all()


async def read_dead_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    if (letter := await session.get(DeadLetter, letter_id)) is None:
        raise DeadLetterNotFound
    return letter


async def replay_dead_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    """Let the worker handle the message again.

    The inbox ignores an event that was handled in the last `inbox.RETENTION_DAYS`; an older one
    must be ignored by the handler, by its version.
    """
    act_after_commit(session, notify_redelivery)
    return await _settle_letter(session, letter_id, "replaying")


async def replay_open_letters(session: AsyncSession) -> int:
    """Let the worker handle all open letters again, the oldest first; return their number."""
    replaying = update(DeadLetter).where(DeadLetter.state == "open").values(state="replaying")
    act_after_commit(session, notify_redelivery)
    return len((await session.scalars(replaying.returning(DeadLetter.id))).all())


async def discard_dead_letter(session: AsyncSession, letter_id: UUID) -> DeadLetter:
    return await _settle_letter(session, letter_id, "discarded")


async def _settle_letter(
    session: AsyncSession, letter_id: UUID, state: DeadLetterState
) -> DeadLetter:
    letter = await session.get(DeadLetter, letter_id, with_for_update=True)
    if letter is None:
        raise DeadLetterNotFound
    if letter.state != "open":
        raise DeadLetterSettled(state=letter.state)
    letter.state = state
    return letter


async def _require_unlimited_right(caller: Caller) -> CallContext:
    """Return the caller; raise RightLimited unless its right has no limits.

    An unreadable message cannot be matched to a right, so only unrestricted callers may read dead
    letters.
    """
    right = caller.right
    if any(limit is not None for limit in (right.procedures, right.fields, right.agencies)):
        raise RightLimited
    return caller


Unlimited = Annotated[CallContext, Depends(_require_unlimited_right)]


class DeadLetterFilter(ListFilter):
    state: DeadLetterState = "open"


class DeadLetterOut(BaseModel):
    """A dead letter. `reason` names the class and place of the error, no value of the message."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    topic: str
    partition: int
    offset: int
    key: str
    reason: str
    state: DeadLetterState
    headers: dict[str, str]


class DeadLetterContent(DeadLetterOut):
    content: str


async def _show_letter(_: Unlimited, session: Session, letter_id: UUID) -> DeadLetterContent:
    """Read a dead letter.

    Return the dead letter with the content of the message, as it came. It needs a right without
    limits (403 `right-limited`).
    """
    letter = await read_dead_letter(session, letter_id)
    members = DeadLetterOut.model_validate(letter).model_dump()
    return DeadLetterContent(**members, content=letter.value.decode(errors="replace"))


async def _replay_letter(_: Unlimited, session: Session, letter_id: UUID) -> DeadLetter:
    """Replay a dead letter.

    Let the service handle the message again. One that was replayed or discarded before is refused
    (409 `dead-letter-settled`).
    """
    return await replay_dead_letter(session, letter_id)


async def _discard_letter(_: Unlimited, session: Session, letter_id: UUID) -> DeadLetter:
    """Discard a dead letter.

    Mark the message as one that is never handled; it stays on record. One that was replayed or
    discarded before is refused (409 `dead-letter-settled`).
    """
    return await discard_dead_letter(session, letter_id)


def build_dead_letter_routes(prefix: str) -> APIRouter:
    """Return the four routes for operators under `prefix`, which begins with the service's name."""
    router = Router(prefix=f"{prefix}/dead-letters", tags=["dead letters"])
    # One document describes the routes of all services, and each of them has a name of its own.
    service = prefix.split("/")[1]

    @router.get("", name=f"list_{service}_dead_letters")
    async def list_letters(
        _: Unlimited,
        session: Session,
        filters: Annotated[DeadLetterFilter, Query()],
        page: PageParametersQuery,
    ) -> Page[DeadLetterOut]:
        """List dead letters, newest first.

        Return the messages that the service could not handle, in one `state`. It needs a right
        without limits (403 `right-limited`): an unreadable message has no agency or procedure.
        """
        keyset = filters.read_keyset(page, prefix)
        letters = list(await list_dead_letters(session, filters.state, keyset))
        rows, next_cursor = keyset.cut(letters, lambda letter: (letter.at, str(letter.id)))
        items = [DeadLetterOut.model_validate(letter) for letter in rows]
        return Page(items=items, next=next_cursor)

    one, shape = "/{letter_id}", DeadLetterOut
    router.get(one, name=f"read_{service}_dead_letter")(_show_letter)
    router.post(f"{one}/replay", name=f"replay_{service}_dead_letter", response_model=shape)(
        _replay_letter
    )
    router.delete(one, name=f"discard_{service}_dead_letter", response_model=shape)(_discard_letter)
    return router
