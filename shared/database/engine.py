"""Open the connections of a service to its database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLCertVerificationError
from typing import Any

import asyncpg
from sqlalchemy import URL, ExceptionContext, event
from sqlalchemy.ext import asyncio as sqlalchemy_asyncio
from sqlalchemy.ext.asyncio import async_sessionmaker

from shared.database.errors import UNREACHABLE, has_lost_its_place
from shared.database.resources import RESOURCES, DatabaseResources
from shared.database.session import OrmSession, SessionFactory
from shared.settings import ServiceSettings

CONNECT_S = 5
STATEMENT_S = 15
POOL_WAIT_S = 5
# A process that hangs in a transaction would hold its locks, such as the relay's, without end.
IDLE_S = 30
# For a statement that reads every row, and for the computations between two of them.
EVERY_ROW_S = 3_600
# Shorter than STATEMENT_S, so that waiting for a lock is distinct from a slow statement.
LOCK_S = 10


def render_driver_url(url: URL) -> str:
    """Return the URL, with its password, as the driver takes it: no driver in the scheme."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def connect_driver(*arguments: Any, **options: Any) -> asyncpg.Connection:
    """Open a connection of the driver; raise one of `UNREACHABLE` where no server answers.

    The system reports that also as other OSErrors: a missing socket file, a network without a
    route, several addresses that each fail. Only while connecting do these mean an outage.
    """
    try:
        return await asyncpg.connect(*arguments, **options)
    except (*UNREACHABLE, SSLCertVerificationError):
        raise
    except OSError as error:
        raise ConnectionError(f"no database answers: {type(error).__name__}") from error


@asynccontextmanager
async def open_database(
    settings: ServiceSettings, *, reads_every_row: bool = False
) -> AsyncIterator[SessionFactory]:
    """Yield a factory of sessions; dispose of the connections at the end.

    For commands with `reads_every_row`, EVERY_ROW_S replaces STATEMENT_S and
    IDLE_S.
    """
    statement_seconds = EVERY_ROW_S if reads_every_row else STATEMENT_S
    idle_seconds = EVERY_ROW_S if reads_every_row else IDLE_S
    # Called through the module, because tracing replaces the function there.
    engine = sqlalchemy_asyncio.create_async_engine(
        settings.database,
        pool_size=settings.database_pool,
        max_overflow=0,
        hide_parameters=True,
        pool_timeout=POOL_WAIT_S,
        connect_args={
            "async_creator_fn": connect_driver,
            "timeout": CONNECT_S,
            "command_timeout": statement_seconds,
            "server_settings": {
                "idle_in_transaction_session_timeout": f"{idle_seconds}s",
                "lock_timeout": f"{LOCK_S}s",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _discard_lost_connection)
    resources = DatabaseResources(settings.database)
    try:
        yield async_sessionmaker(
            engine,
            expire_on_commit=False,
            info={"source": f"/{settings.name}", RESOURCES: resources},
            sync_session_class=OrmSession,
        )
    finally:
        await resources.close()
        await engine.dispose()


def _discard_lost_connection(context: ExceptionContext) -> None:
    """Keep a connection that is of no use any more from going back into the pool."""
    error = context.original_exception
    if has_lost_its_place(error.__cause__ or error):  # SQLAlchemy raises its own from the driver's
        context.is_disconnect = True


@asynccontextmanager
async def open_driver_transaction(sessions: SessionFactory) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction on the driver's own connection, for statements on the hottest paths.

    Without the ORM a statement costs less CPU, which counts at hundreds of them a second.
    """
    async with sessions() as session:
        pooled = await (await session.connection()).get_raw_connection()
        connection: asyncpg.Connection = pooled.driver_connection
        try:
            async with connection.transaction():
                yield connection
        except BaseException:
            # Otherwise the pool would hand out again a connection that is lost.
            await session.invalidate()
            raise
