"""Waiting for a condition, never for a guess of seconds."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

PAUSE_SECONDS = 0.02


@overload
async def eventually(check: Callable[[], Awaitable[T]], within: float = ...) -> T: ...
@overload
async def eventually(check: Callable[[], T], within: float = ...) -> T: ...
async def eventually(check: Callable[[], T | Awaitable[T]], within: float = 15.0) -> T:
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
        await asyncio.sleep(PAUSE_SECONDS)


def eventually_sync(check: Callable[[], object], within: float = 15.0) -> None:
    """The same for a plain test or fixture, in which no loop may run."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not so within {within} s"
        time.sleep(PAUSE_SECONDS)
