"""Bound the calls that go on after their caller has left or has got another answer."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from gateway.http1.deadline import Task
from gateway.operations.model import Service
from gateway.proxy.bodies import RequestBody
from gateway.proxy.call import Call
from shared.web.bodies.shares import Shares, ShareTaken, StockTaken
from shared.web.problems import Problem

# The service still works on them, so they keep their slots: at most a quarter of 256.
MAX_DETACHED_CALLS = 64
DRAIN_S = 3.0


class DetachedCalls:
    """The given-up calls of one process, limited by service and by client."""

    def __init__(self) -> None:
        self._tasks: set[Task] = set()
        self._places: defaultdict[Service, Shares] = defaultdict(lambda: Shares(MAX_DETACHED_CALLS))

    def detach_call(self, call: Call, problem: Callable[[], Problem] | None = None) -> bool:
        """Give `call` up, so that its task continues alone; return whether it continues.

        `problem` creates the answer for the caller; None where the caller has left.
        """
        if call.given_up:
            return True
        if not call.can_be_given_up:
            return False
        try:
            self._places[call.operation.service].take(call.draft.holder)
        except (StockTaken, ShareTaken):
            return False
        self._tasks.add(call.task)
        call.give_up(problem() if problem else None)
        return True

    def release_call(self, call: Call) -> None:
        """Release the place of a call that has ended."""
        if call.task in self._tasks:
            self._tasks.discard(call.task)
            self._places[call.operation.service].give_back(call.draft.holder)

    async def drain(self) -> None:
        """Wait `DRAIN_S` for late answers, then cancel the other calls.

        The outcome of a cancelled call stays unknown.
        """
        tasks = set(self._tasks)
        if not tasks:
            return
        _, waiting = await asyncio.wait(tasks, timeout=DRAIN_S)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def watch_caller_leaving(call: Call, body: RequestBody) -> None:
    """Let the record of a call state that its caller left before the answer was sent."""
    if call.operation.recorded:
        body.watch_for_disconnect()
        call.has_caller_left = body.has_caller_left
