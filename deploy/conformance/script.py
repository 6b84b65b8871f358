"""Run the steps one after the other: ask for the act, wait for its calls, print progress."""

import asyncio
import os
import shlex
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from deploy.conformance.catalogue import Profile, Rule, Step, read_acts, read_rules
from deploy.conformance.proxy import Proxy
from deploy.conformance.recorder import Recorder
from deploy.conformance.stage import Stage
from deploy.conformance.trace import Call

_LOOK_EVERY_S = 0.05
_REMIND_EVERY_S = 15.0
_KILL_AFTER_S = 5.0


# Let the system do an act a number of times; the first text is the address of the kit.
Actor = Callable[[str, str, int], Awaitable[None]]


class StepEnd(StrEnum):
    """The end of a step: its calls came and nothing more followed, or its time was over."""

    SETTLED = "settled"
    TIMED_OUT = "timed_out"


class Interrupted(Exception):  # noqa: N818 -- the reason for which the run ended early
    """The sandbox went away, or the client system never called."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A step lasts `step_s` at most, and ends `settle_s` after its last call."""

    step_s: float = 120.0
    settle_s: float = 10.0


@dataclass(frozen=True, slots=True)
class StepRun:
    step: Step
    act: str
    seconds: float
    calls: int
    end: StepEnd


@dataclass
class Script:
    """`actor` lets the system act in each step; None leaves the acts to others."""

    profile: Profile
    stage: Stage
    recorder: Recorder
    proxy: Proxy
    limits: Limits
    kit_url: str
    actor: Actor | None
    show: Callable[[str], None]

    async def run_steps(self, steps: tuple[Step, ...]) -> list[StepRun]:
        """Return the steps as they went; raise Interrupted."""
        runs = []
        for place, step in enumerate(steps, 1):
            self._announce(step, f"[{place}/{len(steps)}]")
            runs.append(await self._run_step(step))
            if self.proxy.is_sandbox_away:
                raise Interrupted("The sandbox does not answer any more.")
            if not self.recorder.calls:
                raise Interrupted(self._explain_silence())
        return runs

    def _explain_silence(self) -> str:
        others = self.recorder.calls_of_others
        return (
            f"No call of the client came in the first step, and {others} of others: point your "
            f"system at {self.kit_url}, and let it sign on as the client that is judged."
        )

    def _announce(self, step: Step, place: str) -> None:
        act = read_acts()[step.acts[self.profile]]
        times = f" × {step.count}" if step.count > 1 else ""
        self.show(f"{place} {step.name}: {act.title}{times}")
        rules = ", ".join(f"{rule.number} {rule.name}" for rule in _list_rules(self.profile, step))
        self.show(f"      rules that wait for it: {rules or 'those of all calls'}")

    async def _run_step(self, step: Step) -> StepRun:
        act_name, began = step.acts[self.profile], self.recorder.read_clock()
        self.stage.begin_step(step, read_acts()[act_name])
        acting = self._start_act(act_name, step.count)
        try:
            end = await self._wait_until_over(step, began, acting)
        finally:
            calls = self.stage.count_calls(self.recorder.calls)
            await _stop_act(acting)
            self.stage.end_step()
        if end is StepEnd.TIMED_OUT:
            self.show(f"      time is over: {calls} of {step.calls} calls")
        return StepRun(step, act_name, self.recorder.read_clock() - began, calls, end)

    def _start_act(self, act: str, count: int) -> "asyncio.Task[None] | None":
        if self.actor is None:
            return None
        return asyncio.ensure_future(self.actor(self.kit_url, act, count))

    async def _wait_until_over(
        self, step: Step, began: float, acting: "asyncio.Task[None] | None"
    ) -> StepEnd:
        reminded = began
        while (now := self.recorder.read_clock()) < began + self.limits.step_s:
            if self._is_over(step, began, acting) or self.proxy.is_sandbox_away:
                return StepEnd.SETTLED
            if now - max(reminded, self.recorder.changed_at) > _REMIND_EVERY_S:
                reminded = now
                self._remind(step, began + self.limits.step_s - now)
            await asyncio.sleep(_LOOK_EVERY_S)
        return StepEnd.TIMED_OUT

    def _is_over(self, step: Step, began: float, acting: "asyncio.Task[None] | None") -> bool:
        if self.recorder.is_call_under_way:
            return False
        quiet_since = max(began, self.recorder.changed_at)
        if self.recorder.read_clock() - quiet_since < self.limits.settle_s:
            return False
        if acting is not None:
            return acting.done()
        return self.stage.count_calls(self.recorder.calls) >= step.calls

    def _remind(self, step: Step, left_s: float) -> None:
        calls = self.stage.count_calls(self.recorder.calls)
        wanted = " or ".join(sorted(self.stage.act.operations)) if self.stage.act else ""
        self.show(f"      {calls} of {step.calls} calls, {left_s:.0f} s left; waiting for {wanted}")


async def _stop_act(acting: "asyncio.Task[None] | None") -> None:
    """End an act that goes on; one that failed is judged by its calls alone. Raise Interrupted."""
    if acting is None:
        return
    acting.cancel()
    await asyncio.wait([acting])
    failure = None if acting.cancelled() else acting.exception()
    if isinstance(failure, FileNotFoundError | PermissionError):
        raise Interrupted(f"The command of --act cannot be run: {failure.strerror}.")


async def run_command(command: str, kit_url: str, act: str, count: int) -> None:
    """Run `command ACT COUNT` with the kit as MESH_URL; no rule is about its exit code."""
    environment = {**os.environ, "MESH_URL": kit_url}
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), act, str(count), env=environment
    )
    try:
        await process.wait()
    finally:
        await _end_process(process)


async def _end_process(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _KILL_AFTER_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _list_rules(profile: Profile, step: Step) -> Iterator[Rule]:
    for rule in read_rules():
        if profile in rule.profiles and step.name in rule.steps:
            yield rule


def describe_call(call: Call) -> str:
    """Return the line of progress for a recorded call."""
    answer = "broken off" if call.status is None else str(call.status)
    faults = " ".join(kind.replace("_", "-") for kind in call.faults)
    parts = (answer, call.problem, f"({faults})" if faults else None)
    return f"      {call.operation or 'no operation'}: {' '.join(filter(None, parts))}"
