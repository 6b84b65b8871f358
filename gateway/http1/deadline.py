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


class Deadline:
    """Cancel the block after `seconds`, and raise TimeoutError in its place.

    Pass the current task as `task` where it is known, which is cheaper than a look-up.
    """

    def __init__(self, seconds: float, task: Task | None = None) -> None:
        self._seconds, self._given = seconds, task
        self._ended = False

    def __enter__(self) -> Self:
        self._task = task = self._given or require_current_task()
        self._cancelling = task.cancelling()
        self._all = _loop_timer(task.get_loop())
        self._all.add_deadline(self, self._seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._all.drop_deadline(self)
        # A cancellation by another party must not become a TimeoutError.
        is_own = self._ended and self._task.uncancel() <= self._cancelling
        if is_own and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def on_expiry(self) -> None:
        """Handle the expiry; a subclass may extend the deadline instead."""
        self.end()

    def extend_deadline(self, seconds: float) -> None:
        """Extend the deadline by `seconds`; only `on_expiry` may call it."""
        self._all.add_deadline(self, seconds)

    def end(self) -> None:
        self._ended = True
        self._task.cancel()


def require_current_task(loop: asyncio.AbstractEventLoop | None = None) -> Task:
    """Return the current task. Pass its loop: to look it up is a system call in Python 3.11."""
    task = asyncio.current_task(loop)
    assert task
    return task


class _DeadlineTimer:
    """The deadlines of one event loop. A timer runs only while there is a deadline."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_at: dict[Deadline, float] = {}
        self._ticking = False

    def add_deadline(self, wait: Deadline, seconds: float) -> None:
        self._due_at[wait] = self._loop.time() + seconds
        if not self._ticking:
            self._ticking = True
            self._schedule_next_check()

    def drop_deadline(self, wait: Deadline) -> None:
        self._due_at.pop(wait, None)

    def _check_deadlines(self) -> None:
        now = self._loop.time()
        for wait in [wait for wait, at in self._due_at.items() if at <= now]:
            del self._due_at[wait]
            wait.on_expiry()
        self._ticking = bool(self._due_at)
        if self._ticking:
            self._schedule_next_check()

    def _schedule_next_check(self) -> None:
        # A fresh context keeps the timer from retaining the context of the first call.
        self._loop.call_later(TICK_S, self._check_deadlines, context=Context())


_loop_timer = lru_cache(maxsize=1)(_DeadlineTimer)
