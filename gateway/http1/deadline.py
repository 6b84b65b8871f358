"""How long this gateway waits for others, all on one timer.

Nearly everything comes long before its time is up, and a timer for each wait, as `asyncio.timeout`
has it, is felt. Here one looks at all waits every `TICK_S`: what lasts too long ends so much later.
"""

import asyncio
from contextvars import Context
from functools import lru_cache
from types import TracebackType
from typing import Self

TICK_S = 0.05

Task = asyncio.Task[None]


class Wait:
    """Cancels what runs inside when `seconds` have passed; then raises TimeoutError.

    Give the present task as `task` where it is known, which is cheaper than to ask for it.
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
        # Whoever cancelled the task meanwhile is not answered with a TimeoutError.
        own = self._ended and self._task.uncancel() <= self._cancelling
        if own and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def due(self) -> None:
        """Its seconds have passed."""
        self.end()

    def go_on(self, seconds: float) -> None:
        """Wait so many seconds more; for `due` to call."""
        self._all.add(self, seconds)

    def end(self) -> None:
        self._ended = True
        self._task.cancel()


def present_task(loop: asyncio.AbstractEventLoop | None = None) -> Task:
    """Return the task that runs. Give its loop: to ask for it is a system call in Python 3.11."""
    task = asyncio.current_task(loop)
    assert task
    return task


class _Waits:
    """Those of one loop. It has a timer only while there are any."""

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
        # In a context of its own: that of the call which began would be kept for as long.
        self._loop.call_later(TICK_S, self._tick, context=Context())


_waits = lru_cache(maxsize=1)(_Waits)
