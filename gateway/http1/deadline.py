"""Bound the time that the gateway waits for others, with one timer for all deadlines.

One timer checks all deadlines every `TICK_S`, because a timer per deadline, as `asyncio.timeout`
has it, costs measurable time. A deadline therefore expires up to `TICK_S` late.
"""

import asyncio
from contextvars import Context
from functools import lru_cache
from types import TracebackType
from typing import Self

TICK_S = 0.05

Task = asyncio.Task[None]


class Wait:
    """Cancel the block after `seconds`, and raise TimeoutError in its place.

    Pass the current task as `task` where it is known, which is cheaper than a look-up.
    """

    def __init__(self, seconds: float, task: Task | None = None) -> None:
        self._seconds, self._given = seconds, task
        self._ended = False

    def __enter__(self) -> Self:
        self._task = task = self._given or present_task()
        self._cancelling = task.cancelling()
        self._all = _waits(task.get_loop())
        self._all.add(self, self._seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._all.drop(self)
        # A cancellation by another party must not become a TimeoutError.
        own = self._ended and self._task.uncancel() <= self._cancelling
        if own and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def due(self) -> None:
        """Handle the expiry; a subclass may extend the deadline instead."""
        self.end()

    def go_on(self, seconds: float) -> None:
        """Extend the deadline by `seconds`; only `due` may call it."""
        self._all.add(self, seconds)

    def end(self) -> None:
        self._ended = True
        self._task.cancel()


def present_task(loop: asyncio.AbstractEventLoop | None = None) -> Task:
    """Return the current task. Pass its loop: to look it up is a system call in Python 3.11."""
    task = asyncio.current_task(loop)
    assert task
    return task


class _Waits:
    """The deadlines of one event loop. A timer runs only while there is a deadline."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_at: dict[Wait, float] = {}
        self._ticking = False

    def add(self, wait: Wait, seconds: float) -> None:
        self._due_at[wait] = self._loop.time() + seconds
        if not self._ticking:
            self._ticking = True
            self._tick_later()

    def drop(self, wait: Wait) -> None:
        self._due_at.pop(wait, None)

    def _tick(self) -> None:
        now = self._loop.time()
        for wait in [wait for wait, at in self._due_at.items() if at <= now]:
            del self._due_at[wait]
            wait.due()
        self._ticking = bool(self._due_at)
        if self._ticking:
            self._tick_later()

    def _tick_later(self) -> None:
        # A fresh context keeps the timer from retaining the context of the first call.
        self._loop.call_later(TICK_S, self._tick, context=Context())


_waits = lru_cache(maxsize=1)(_Waits)
