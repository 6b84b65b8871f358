"""One request, or one batch of messages, is one transaction: nothing but shared/ commits."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated, Any, NoReturn

import asyncpg
import stamina
from fastapi import Depends, Request
from sqlalchemy import TextClause, event, orm, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase

from shared.bell import Bell
from shared.settings import ServiceSettings

SessionFactory = async_sessionmaker[AsyncSession]

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 15
POOL_WAIT_SECONDS = 5
# A process that stands still in a transaction would hold its locks, the relay's too, for ever.
IDLE_SECONDS = 30
# Shorter than a statement may take: who waits for a lock is told from what is slow itself.
LOCK_SECONDS = 10
SLICE_ROWS = 10_000
_LAST, _RINGS, _BELL = "last", "rings", "bell"  # where a session keeps them
QUERY_CANCELLED = "57014"  # by a statement_timeout
# Classes of SQLSTATE: connection lost, out of resources, operator intervention, system error.
OUTAGE_CLASSES = {"08", "53", "57", "58"}
# Lost a race that a second try wins: serialization failure, deadlock; a standby just promoted;
# a transaction ended because its process stood still; a lock that somebody held for too long.
PASSING_STATES = {"40001", "40P01", "25006", "25P03", "55P03"}


class Base(DeclarativeBase):
    """The tables of the mechanics (outbox, inbox, dead letters …), the same in every database."""


def is_outage(error: BaseException) -> bool:
    """True where waiting helps; False where the message or the code is at fault."""
    if isinstance(error, OSError | TimeoutError | PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _passing(getattr(error.orig, "sqlstate", None))
    if isinstance(error, asyncpg.PostgresError):
        return _passing(error.sqlstate)
    return isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)


def _passing(state: str | None) -> bool:
    return state is not None and (state[:2] in OUTAGE_CLASSES or state in PASSING_STATES)


def is_refused_value(error: BaseException) -> bool:
    """True where PostgreSQL cannot take a value as it is (a NUL in a text): SQLSTATE class 22."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(state, str) and state[:2] == "22"


def _worth_waiting(error: Exception) -> bool:
    return is_outage(error)


def is_too_slow(error: BaseException) -> bool:
    """True where the database may be well, and what was asked of it takes too long."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return isinstance(error, TimeoutError) or state == QUERY_CANCELLED


def _worth_waiting_whole(error: Exception) -> bool:
    return is_outage(error) and not is_too_slow(error)


# For background work, which waits an outage out; a request fails and its caller retries.
wait_out_outage = stamina.retry(on=_worth_waiting, attempts=None, timeout=None, wait_max=2.0)
# The same for what can be done in parts: what took too long as a whole will do so again.
wait_out_outage_whole = stamina.retry(
    on=_worth_waiting_whole, attempts=None, timeout=None, wait_max=2.0
)


async def delete_in_slices(session: AsyncSession, table: type[Base], where: str) -> None:
    """All rows that match, in statements that each stay far below `STATEMENT_SECONDS`."""
    name = table.__tablename__
    statement = text(
        f"DELETE FROM {name} WHERE ctid ="  # noqa: S608 -- both texts are of this code
        f" ANY(ARRAY(SELECT ctid FROM {name} WHERE {where} LIMIT {SLICE_ROWS}))"
    )
    connection = await session.connection()
    while (await connection.execute(statement)).rowcount == SLICE_ROWS:
        pass


class _Session(orm.Session):
    """Of which `write_last` and `ring_at_commit` keep what is to be done at its end."""

    def begin_nested(self) -> NoReturn:
        """What a part that is rolled back had kept for the end would be written all the same."""
        raise NotImplementedError("one transaction, one outcome")


def write_last(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> None:
    """An INSERT or UPDATE of this transaction that nothing in it reads; its names are its own.

    All of them go to the database as one statement, just before the commit or at `write_now`: a way
    there and back for each would cost more than the writing. A statement that is said again must
    have lists for values: the later ones are added to the first.
    """
    kept: dict[str, dict[str, Any]] = session.info.setdefault(_LAST, {})
    if statement not in kept:
        kept[statement] = dict(values)
        return
    for name, more in values.items():
        assert isinstance(more, list), f"{name} is said twice in one transaction"
        kept[statement][name] = [*kept[statement][name], *more]


@event.listens_for(_Session, "before_commit")
def _write(session: orm.Session) -> None:
    if kept := session.info.pop(_LAST, None):
        # What the session holds goes first: who lost a race finds that by the row's version.
        session.flush()
        together = {name: value for values in kept.values() for name, value in values.items()}
        assert len(together) == sum(map(len, kept.values())), "two statements share a name"
        session.connection().execute(_in_one(tuple(kept)), together)


async def write_now(session: AsyncSession) -> None:
    """What `write_last` has kept so far: before a statement whose locks others wait for."""
    await session.run_sync(_write)


@lru_cache(maxsize=100)
def _in_one(statements: tuple[str, ...]) -> TextClause:
    parts = (f"part_{number} AS ({each})" for number, each in enumerate(statements))
    return text(f"WITH {', '.join(parts)} SELECT 1")


def ring_at_commit(session: AsyncSession) -> None:
    """The relay is woken when the session's transaction is durable."""
    session.info[_RINGS] = True


@event.listens_for(_Session, "after_commit")
def _ring(session: orm.Session) -> None:
    if session.info.pop(_RINGS, False):
        session.info[_BELL].ring()


@event.listens_for(_Session, "after_rollback")
def _forget(session: orm.Session) -> None:
    session.info.pop(_LAST, None)
    session.info.pop(_RINGS, None)


@asynccontextmanager
async def open_database(settings: ServiceSettings) -> AsyncIterator[SessionFactory]:
    # By the module: tracing, where it is on, has put its own function there.
    engine = sqlalchemy_asyncio.create_async_engine(
        settings.database,
        pool_size=settings.database_pool,
        max_overflow=0,
        hide_parameters=True,
        pool_timeout=POOL_WAIT_SECONDS,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": STATEMENT_SECONDS,
            "server_settings": {
                "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
                "lock_timeout": f"{LOCK_SECONDS}s",
            },
        },
    )
    bell = Bell(settings.database)
    try:
        yield async_sessionmaker(
            engine,
            expire_on_commit=False,
            info={"source": f"/{settings.name}", _BELL: bell},
            sync_session_class=_Session,
        )
    finally:
        await bell.close()
        await engine.dispose()


@asynccontextmanager
async def driver_transaction(sessions: SessionFactory) -> AsyncIterator[asyncpg.Connection]:
    """A transaction on the driver's own connection: for what runs hundreds of times a second."""
    async with sessions() as session:
        pooled = await (await session.connection()).get_raw_connection()
        connection: asyncpg.Connection = pooled.driver_connection
        try:
            async with connection.transaction():
                yield connection
        except BaseException:
            # What was lost without the pool's knowledge would be handed out again.
            await session.invalidate()
            raise


async def _request_session(request: Request) -> AsyncIterator[AsyncSession]:
    sessions: SessionFactory = request.app.state.sessions
    async with sessions.begin() as session:
        yield session


# "function" scope commits before the response leaves; the default would answer 201 first.
Session = Annotated[AsyncSession, Depends(_request_session, scope="function")]
