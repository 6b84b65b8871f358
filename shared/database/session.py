"""The session of a transaction. One request or batch is one transaction; only shared/ commits."""

from collections.abc import Callable
from typing import Any, NoReturn

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase

from shared.database.deferred import DeferringSession

SessionFactory = async_sessionmaker[AsyncSession]


class Base(DeclarativeBase):
    """The infrastructure tables (outbox, inbox, dead letters …), the same in every database."""


class OrmSession(DeferringSession):
    """A session that executes deferred writes before its commit and registered acts after it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.acts_after_commit: dict[Callable[[OrmSession], None], None] = {}

    def begin_nested(self) -> NoReturn:
        """Raise, because a rollback to a savepoint would not undo its deferred writes."""
        raise NotImplementedError("one transaction, one outcome")


def act_after_commit(session: AsyncSession, act: Callable[[OrmSession], None]) -> None:
    """Call `act` once after the session's transaction is durable, and never after a rollback."""
    sync_session = session.sync_session
    if not isinstance(sync_session, OrmSession):
        raise TypeError("only a session of open_database acts after its commit")
    sync_session.acts_after_commit[act] = None


@event.listens_for(OrmSession, "before_commit")
def _write(session: OrmSession) -> None:
    session.flush_deferred()


@event.listens_for(OrmSession, "after_commit")
def _act(session: OrmSession) -> None:
    acts, session.acts_after_commit = session.acts_after_commit, {}
    for act in acts:
        act(session)


@event.listens_for(OrmSession, "after_rollback")
def _forget(session: OrmSession) -> None:
    session.deferred.clear()
    session.acts_after_commit.clear()
