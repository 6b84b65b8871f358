"""Waiting for a condition, never for a guess of seconds."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import asyncpg

T = TypeVar("T")

PAUSE_S = 0.02
# Long enough for a slow machine under a load that is not ours: only a fault waits for it.
PATIENCE_S = 90.0


@overload
async def eventually(check: Callable[[], Awaitable[T]], within: float = ...) -> T: ...
@overload
async def eventually(check: Callable[[], T], within: float = ...) -> T: ...
async def eventually(check: Callable[[], T | Awaitable[T]], within: float = PATIENCE_S) -> T:
    """The first true answer of `check`, plain or async, asked again for `within` seconds.

    An AssertionError in `check` counts as "not yet"; the last one is what the test then shows.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            asked = check()
            answer = await asked if inspect.isawaitable(asked) else asked
            assert answer, f"still {answer!r} after {within} s"
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            return answer
        await asyncio.sleep(PAUSE_S)


def eventually_sync(check: Callable[[], object], within: float = PATIENCE_S) -> None:
    """The same for a plain test or fixture, in which no loop may run."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not so within {within} s"
        time.sleep(PAUSE_S)


async def count_blocked(connection: asyncpg.Connection, application: str = "%") -> int:
    """Return how many backends of this database wait for a lock, also within a transaction."""
    # A transaction would be answered with the state at its first look.
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    count: int = await connection.fetchval(
        """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND application_name LIKE $1""",
        application,
    )
    return count
