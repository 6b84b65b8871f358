"""The present step of a run, which decides the faults of each call."""

from collections import Counter
from dataclasses import dataclass, field

from deploy.conformance.catalogue import Act, FaultKind, FaultPlan, Step
from deploy.conformance.trace import Call

# Before the first step and after the last one nothing is disturbed.
NO_STEP = "outside"


@dataclass
class Stage:
    """Calls of the act of the step are struck, the first `times` of each plan."""

    step: Step | None = None
    act: Act | None = None
    _struck: Counter[FaultKind] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.step.name if self.step else NO_STEP

    def begin_step(self, step: Step, act: Act) -> None:
        self.step, self.act, self._struck = step, act, Counter()

    def end_step(self) -> None:
        self.step = self.act = None

    def choose_faults(self, call: Call) -> tuple[FaultPlan, ...]:
        """Return the plans that strike this call, and count them."""
        if self.step is None:
            return ()
        plans = tuple(plan for plan in self.step.faults if self._is_struck(plan, call))
        self._struck.update(plan.kind for plan in plans)
        return plans

    def _is_struck(self, plan: FaultPlan, call: Call) -> bool:
        assert self.act is not None
        operation = call.operation or ""
        if plan.kind is FaultKind.SHORTEN_PAGE and not operation.startswith("GET"):
            return False
        reached = self.act.calls if plan.kind is FaultKind.ADD_MEMBERS else self.act.operations
        return operation in reached and self._struck[plan.kind] < plan.times

    def count_calls(self, calls: tuple[Call, ...]) -> int:
        """Return how many of the calls that the step waits for have come."""
        wanted = self.act.calls if self.act else frozenset()
        return sum(call.step == self.name and call.operation in wanted for call in calls)
