import asyncio
from contextvars import ContextVar
from weakref import ref

import pytest

from gateway.http1.deadline import TICK_S, Deadline


async def wait_for_ever(wait: Deadline) -> None:
    with wait:
        await asyncio.Event().wait()


async def test_what_lasts_too_long_ends_and_its_task_goes_on() -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await wait_for_ever(Deadline(0.2))
    assert loop.time() - began >= 0.2
    assert task
    assert task.cancelling() == 0
    # Were it still waited for, the next tick would cancel whatever runs then.
    await asyncio.sleep(3 * TICK_S)
    assert task.cancelling() == 0


async def test_what_comes_in_time_is_not_ended() -> None:
    with Deadline(0.1):
        pass  # nothing is awaited, so that no time can pass unseen
    with Deadline(60):
        await asyncio.sleep(0.3)


async def test_the_outer_of_two_waits_is_the_one_that_ends() -> None:
    async def wait_inside() -> None:
        try:
            await wait_for_ever(Deadline(60))
        except TimeoutError:
            pytest.fail("the inner one was not due")

    with pytest.raises(TimeoutError), Deadline(0.1):
        await wait_inside()


@pytest.mark.parametrize("ended", [False, True])
async def test_who_cancels_is_not_answered_with_a_timeout(ended: bool) -> None:
    wait = Deadline(60)
    task = asyncio.create_task(wait_for_ever(wait))
    await asyncio.sleep(0)
    if ended:
        wait.end()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_timer_keeps_nothing_of_the_call_that_began_it() -> None:
    class Carried:
        """As a call has it: its trace."""

    carried: ContextVar[Carried] = ContextVar("carried")

    async def call(going_on: asyncio.Event) -> "ref[Carried]":
        carried.set(kept := Carried())
        with Deadline(60):
            await going_on.wait()
        return ref(kept)

    async def calls() -> None:
        going_on = asyncio.Event()
        first = asyncio.create_task(call(going_on))
        await asyncio.sleep(0)
        with Deadline(60):
            going_on.set()
            of_first = await first
            del first
            await asyncio.sleep(0)  # what woke this task up still has the first one
            assert of_first() is None

    # In a loop of its own, which has no timer yet.
    asyncio.run(calls())


def test_each_loop_has_a_timer_of_its_own() -> None:
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(wait_for_ever(Deadline(0.1)))
