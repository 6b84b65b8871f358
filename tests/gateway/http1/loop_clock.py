"""The clock of the running loop, moved forward by a test in place of waiting."""

import asyncio

from gateway.http1.deadline import _loop_timer
from tests.support.waiting import eventually


class LoopClock:
    """Lets time pass at once for all that the running loop does.

    The loop stays ahead after the test: timers that are set by then would wait for it to catch up.
    """

    def __init__(self) -> None:
        self._loop, self._ahead = asyncio.get_running_loop(), 0.0
        self._time = self._loop.time
        setattr(self._loop, "time", self._now)  # noqa: B010 -- mypy takes no method as assigned

    def _now(self) -> float:
        return self._time() + self._ahead

    async def pass_by(self, seconds: float) -> None:
        """Return when each wait of the gateway that is due by then has been looked at."""
        self._ahead += seconds
        due_at = _loop_timer(self._loop)._due_at
        await eventually(lambda: all(at > self._now() for at in due_at.values()))
