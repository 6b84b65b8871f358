"""One request, or one batch of messages, is one transaction: nothing but shared/ commits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import gaierror
from ssl import SSLCertVerificationError
from typing import Annotated, Any, NoReturn

import asyncpg
import stamina
from fastapi import Depends, Request
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase

from shared.database.deferred import DeferringSession
from shared.messaging.outbox_notifier import Bell
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
_RINGS, _BELL = "rings", "bell"  # where a session keeps them
QUERY_CANCELLED = "57014"  # by a statement_timeout
# An OSError of another kind, such as a missing file, is a fault of ours: waiting does not mend it.
UNREACHABLE = (ConnectionError, TimeoutError, gaierror)
# Classes of SQLSTATE: connection lost, out of resources, operator intervention, system error.
OUTAGE_CLASSES = {"08", "53", "57", "58"}
# Faults of ours in these classes: a file that is missing, or stands in the way.
_FILE_STATES = {"58P01", "58P02"}
# Lost a race that a second try wins: serialization failure, deadlock; a standby just promoted;
# a transaction ended because its process stood still; a lock that somebody held for too long.
PASSING_STATES = {"40001", "40P01", "25006", "25P03", "55P03"}


# The values that PostgreSQL cannot keep as they are: characters that its encoding lacks (NUL among
# them), or more of them than a column takes. The rest of class 22, as a division by zero, is ours.
REFUSED_VALUE_STATES = {"22021", "22P05", "22001"}


class Base(DeclarativeBase):
    """The tables of the mechanics (outbox, inbox, dead letters …), the same in every database."""


def is_outage(error: BaseException) -> bool:
    """True where waiting helps; False where the message or the code is at fault."""
    if isinstance(error, (*UNREACHABLE, PoolTimeoutError)):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _passing(getattr(error.orig, "sqlstate", None))
    if isinstance(error, asyncpg.PostgresError):
        return _passing(error.sqlstate)
    # The driver has one class for a connection that has gone and for wrong use of one that has not.
    return isinstance(error, asyncpg.InterfaceError) and "connection is closed" in str(error)


def _passing(state: str | None) -> bool:
    if state is None or state in _FILE_STATES:
        return False
    return state[:2] in OUTAGE_CLASSES or state in PASSING_STATES


def is_refused_value(error: BaseException) -> bool:
    """Return True where PostgreSQL cannot keep a value of the caller's as it is."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in REFUSED_VALUE_STATES


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


async def delete_in_slices(session: AsyncSession, table: type[DeclarativeBase], where: str) -> None:
    """All rows that match, in statements that each stay far below `STATEMENT_SECONDS`."""
    name = table.__tablename__
    statement = text(
        f"DELETE FROM {name} WHERE ctid ="  # noqa: S608 -- both texts are of this code
        f" ANY(ARRAY(SELECT ctid FROM {name} WHERE {where} LIMIT {SLICE_ROWS}))"
    )
    connection = await session.connection()
    while (await connection.execute(statement)).rowcount == SLICE_ROWS:
        pass


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


async def connect_driver(*arguments: Any, **options: Any) -> asyncpg.Connection:
    """Open a connection of the driver; raise one of `UNREACHABLE` where no server answers.

    The system has errors of other classes for that too: a missing socket file, a network without a
    route, several addresses that fail each in its own way. Only here they are an outage.
    """
    try:
        return await asyncpg.connect(*arguments, **options)
    except (*UNREACHABLE, SSLCertVerificationError):
        raise
    except OSError as error:
        raise ConnectionError(f"no database answers: {type(error).__name__}") from error


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
            "async_creator_fn": connect_driver,
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
