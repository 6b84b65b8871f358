"""Processes that die without a word, or stand still and come back."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import psutil

from tests.faults.fault import Seen, Site
from tests.support.mesh import Mesh
from tests.support.waiting import eventually

REPLACED_WITHIN = 90.0
# Whom the load asks for what.
ASKED = {
    "identity": {"verify", "sign in"},
    "dossier": {"file", "move", "pay", "issue", "note", "read"},
    "sync": {"push", "look"},
}
GATEWAY_S = 10.0  # its time-out for all of these but pushes
SLACK_S = 4.0
SLOWED, SLOW_S = 5, 0.5
FEWEST_SHARE = 0.5


def kill(name: str) -> Callable[[Site], Awaitable[None]]:
    """With -9; over when whoever runs the stack has started it again."""

    async def strike(site: Site) -> None:
        pid = site.mesh.pid(name)
        os.kill(pid, signal.SIGKILL)
        await eventually(partial(is_replaced, site.mesh, name, pid), within=REPLACED_WITHIN)

    return strike


async def kill_server_behind_gateway(site: Site) -> None:
    """The process that serves, whose parent starts another one."""
    gateway = psutil.Process(site.mesh.pid("gateway-serve"))
    before = _serving(gateway)
    assert before, f"{gateway.children()} serve nothing"
    for process in before:
        process.kill()
    await eventually(lambda: _serving(gateway) - before, within=REPLACED_WITHIN)


def _serving(gateway: psutil.Process) -> set[psutil.Process]:
    """Beside them it has a process that minds what they share."""
    return {child for child in gateway.children() if _serves(child)}


def _serves(child: psutil.Process) -> bool:
    try:
        return "tracker" not in " ".join(child.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


def is_replaced(mesh: Mesh, name: str, pid: int) -> bool:
    child = mesh.record().children.get(name)
    return child is not None and child.pid != pid


def stop(name: str, seconds: float) -> Callable[[Site], Awaitable[None]]:
    """SIGSTOP, then SIGCONT: its connections stand, and nobody answers on them."""

    async def strike(site: Site) -> None:
        with standing_still(site.mesh.processes(name)):
            await asyncio.sleep(seconds)

    return strike


@contextmanager
def standing_still(processes: Sequence[psutil.Process]) -> Iterator[None]:
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def others_stay_fast(service: str) -> Callable[[Seen], Iterable[str]]:
    """A service that accepts and never answers slows nobody else, and nobody waits for ever."""

    def expect(seen: Seen) -> Iterator[str]:
        own = ASKED[service]
        hanging = [
            each
            for each in seen.journal.begun_within(seen.began, seen.ended)
            if each.kind in own - {"push"} and each.seconds > GATEWAY_S + SLACK_S
        ]
        if hanging:
            yield f"{len(hanging)} calls waited for longer than the gateway's time-out"
        before = _slow(seen, own, seen.load_began, seen.began)
        while_struck = _slow(seen, own, seen.began, seen.ended)
        if while_struck > max(SLOWED * before, SLOW_S):
            yield f"calls to others took {while_struck:.2f} s, before {before:.2f} s (p90)"
        if (share := _share_of_usual(seen, own)) < FEWEST_SHARE:
            yield f"{share:.0%} of the usual calls to others began"

    return expect


def _share_of_usual(seen: Seen, own: Iterable[str]) -> float:
    """Calls to others a second while it lasted, of those before."""

    def rate(begin: float, end: float) -> float:
        calls = seen.journal.begun_within(begin, end)
        return sum(each.kind not in own for each in calls) / (end - begin)

    return rate(seen.began, seen.ended) / rate(seen.load_began, seen.began)


def _slow(seen: Seen, own: Iterable[str], begin: float, end: float) -> float:
    seconds = sorted(
        each.seconds for each in seen.journal.begun_within(begin, end) if each.kind not in own
    )
    return seconds[int(len(seconds) * 0.9)] if seconds else 0.0
