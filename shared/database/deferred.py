"""Writes that a transaction defers to its end, where one round trip executes all of them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session


class DeferredWriteError(Exception):
    """A write that cannot be combined with the writes that the transaction has already deferred."""


class DeferredWrites:
    """The INSERT and UPDATE statements that one transaction has deferred, with their values."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Any]] = {}
        self._statement_of: dict[str, str] = {}

    def add(self, statement: str, values: Mapping[str, Any]) -> None:
        """Raise DeferredWriteError where a value or a parameter name would be lost."""
        if stored := self._values.get(statement):
            _append_values(stored, values)
            return
        for name in values:
            if name in self._statement_of:
                raise DeferredWriteError(f"two deferred statements have a parameter {name}")
        self._statement_of |= dict.fromkeys(values, statement)
        # Only the first list is copied, which leaves the caller's unchanged; appending the later
        # ones keeps the cost linear.
        self._values[statement] = {
            name: list(value) if isinstance(value, list) else value
            for name, value in values.items()
        }

    def clear(self) -> None:
        self._values.clear()
        self._statement_of.clear()

    def write(self, connection: Connection) -> None:
        """Execute all deferred statements as one, and clear them."""
        together = {
            name: value for stored in self._values.values() for name, value in stored.items()
        }
        statement = _join_statements(tuple(self._values))
        self.clear()
        connection.execute(statement, together)

    def __bool__(self) -> bool:
        return bool(self._values)


def _append_values(stored: dict[str, Any], values: Mapping[str, Any]) -> None:
    if stored.keys() != values.keys():
        raise DeferredWriteError("a deferred statement was repeated with other parameters")
    for name, more in values.items():
        if not isinstance(more, list):
            raise DeferredWriteError(f"{name} has two values: a repeated statement needs lists")
    for name, more in values.items():
        stored[name].extend(more)


@lru_cache(maxsize=100)
def _join_statements(statements: tuple[str, ...]) -> TextClause:
    parts = (f"part_{number} AS ({statement})" for number, statement in enumerate(statements))
    return text(f"WITH {', '.join(parts)} SELECT 1")


class DeferringSession(Session):
    """A session that writes its deferred statements just before its commit."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.deferred = DeferredWrites()

    def flush_deferred(self) -> None:
        if self.deferred:
            # The session's own changes go first, because their row versions detect a lost race.
            self.flush()
            self.deferred.write(self.connection())


def defer_write(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> None:
    """Defer a write until commit.

    Nothing in the transaction may read its effect; parameter names must be unique. All deferred
    writes go to the database as one statement, just before the commit or at
    `flush_deferred_writes`, because a round trip for each would cost more than the writing. A
    statement that is deferred again must have lists for values; they are appended.
    """
    _find_deferring_session(session).deferred.add(statement, values)


async def flush_deferred_writes(session: AsyncSession) -> None:
    """Execute the deferred writes now, for use before a statement that takes contended locks."""
    deferring = _find_deferring_session(session)
    if deferring.deferred:
        await session.run_sync(lambda _: deferring.flush_deferred())


def _find_deferring_session(session: AsyncSession) -> DeferringSession:
    sync_session = session.sync_session
    if not isinstance(sync_session, DeferringSession):
        raise TypeError("only a session of open_database defers writes")
    return sync_session
