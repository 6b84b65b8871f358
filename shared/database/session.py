"""One request, or one batch of messages, is one transaction: nothing but shared/ commits."""

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
    """A session whose transaction has one outcome: its deferred writes, and acts that follow it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.acts_after_commit: dict[Callable[[OrmSession], None], None] = {}

    def begin_nested(self) -> NoReturn:
        """Refuse: the deferred writes of a part that is rolled back would still be written."""
        raise NotImplementedError("one transaction, one outcome")


def act_after_commit(session: AsyncSession, act: Callable[[OrmSession], None]) -> None:
    """Call `act` once when the session's transaction is durable, and not if it is rolled back."""
    own = session.sync_session
    if not isinstance(own, OrmSession):
        raise TypeError("only a session of open_database acts after its commit")
    own.acts_after_commit[act] = None


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
