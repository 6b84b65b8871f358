"""One request, or one batch of messages, is one transaction: nothing but shared/ commits."""

from typing import NoReturn

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase

from shared.database.deferred import DeferringSession

SessionFactory = async_sessionmaker[AsyncSession]
_RINGS, _BELL = "rings", "bell"  # where a session keeps them


class Base(DeclarativeBase):
    """The tables of the mechanics (outbox, inbox, dead letters …), the same in every database."""


class _Session(DeferringSession):
    """A session whose transaction has one outcome: its deferred writes, and a ring of the bell."""

    def begin_nested(self) -> NoReturn:
        """Refuse: the deferred writes of a part that is rolled back would still be written."""
        raise NotImplementedError("one transaction, one outcome")


@event.listens_for(_Session, "before_commit")
def _write(session: _Session) -> None:
    session.flush_deferred()


def ring_at_commit(session: AsyncSession) -> None:
    """The relay is woken when the session's transaction is durable."""
    session.info[_RINGS] = True


@event.listens_for(_Session, "after_commit")
def _ring(session: _Session) -> None:
    if session.info.pop(_RINGS, False):
        session.info[_BELL].ring()


@event.listens_for(_Session, "after_rollback")
def _forget(session: _Session) -> None:
    session.deferred.clear()
    session.info.pop(_RINGS, None)
