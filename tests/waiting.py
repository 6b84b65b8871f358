"""Waiting for a condition, never for a guess of seconds."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.02


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
