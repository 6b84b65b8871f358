"""Read the rules, the steps of a run and the reactions to problems from `data/`, strictly."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from gateway.api_docs.problem_types import list_types_by_operation

FOLDER = Path(__file__).with_name("data")


class Profile(StrEnum):
    """The kind of client system, which decides its steps and rules.

    `onestop` verifies people and handles dossiers in the mesh, `external` pushes the dossiers of
    its own system, `reader` reads lists alone.
    """

    ONESTOP = "onestop"
    EXTERNAL = "external"
    READER = "reader"


class FaultKind(StrEnum):
    """A way in which the kit disturbs a call.

    `refuse` answers with a problem in place of the sandbox. `lose` breaks the connection, and
    `time_out` answers with a problem, after the sandbox has carried out the call. `delay` holds
    the answer back. The others change the answer of the sandbox.
    """

    REFUSE = "refuse"
    LOSE = "lose"
    TIME_OUT = "time_out"
    DELAY = "delay"
    ADD_MEMBERS = "add_members"
    SHORTEN_PAGE = "shorten_page"
    REFUSE_ROW = "refuse_row"


class StrictPart(BaseModel):
    """A part of the catalogue or of a report; it takes no unknown members, and none changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(StrictPart):
    """A text in Vietnamese and in English."""

    vi: str
    en: str

    def __str__(self) -> str:
        return f"{self.vi} / {self.en}"


class Rule(StrictPart):
    number: int
    name: str
    title: Text
    source: str
    profiles: frozenset[Profile]
    steps: tuple[str, ...]
    faults: Mapping[str, Text]


class Act(StrictPart):
    """A thing that the agency's system does; `reads` are the calls that prepare its own."""

    title: Text
    operations: frozenset[str]
    reads: frozenset[str] = frozenset()

    @property
    def calls(self) -> frozenset[str]:
        return self.operations | self.reads


class FaultPlan(StrictPart):
    """A fault of the first `times` calls of a step; `problem` is the name of a type of problems."""

    kind: FaultKind
    problem: str | None = None
    times: int = 1


class Step(StrictPart):
    """An act that the system is asked to do `count` times, of which `calls` calls are expected."""

    name: str
    acts: Mapping[Profile, str]
    count: int = 1
    calls: int = 1
    faults: tuple[FaultPlan, ...] = ()


class Reaction(StrictPart):
    title: Text
    calls: int
    types: tuple[str, ...]


def _read_data(name: str, member: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))[member]


@cache
def read_rules() -> tuple[Rule, ...]:
    return tuple(map(Rule.model_validate, _read_data("rules.yaml", "rules")))


@cache
def read_acts() -> Mapping[str, Act]:
    acts = _read_data("steps.yaml", "acts")
    return {name: Act.model_validate(act) for name, act in acts.items()}


@cache
def read_steps() -> tuple[Step, ...]:
    return tuple(map(Step.model_validate, _read_data("steps.yaml", "steps")))


@cache
def read_reactions() -> Mapping[str, Reaction]:
    reactions = _read_data("reactions.yaml", "reactions")
    return {name: Reaction.model_validate(each) for name, each in reactions.items()}


@cache
def group_problem_types() -> Mapping[str, str]:
    """Return the name of the reaction by the name of the type of problems."""
    return {kind: name for name, reaction in read_reactions().items() for kind in reaction.types}


def list_steps(profile: Profile, *, every_problem: bool = False) -> tuple[Step, ...]:
    """Return the steps of a profile, with `every_problem` one more for each type of its calls."""
    steps = [step for step in read_steps() if profile in step.acts]
    if every_problem:
        steps += _list_problem_steps(profile, steps)
    return tuple(steps)


def _list_problem_steps(profile: Profile, steps: list[Step]) -> Iterator[Step]:
    tried = {plan.problem for step in steps for plan in step.faults}
    for act_name in dict.fromkeys(step.acts[profile] for step in steps):
        for operation in sorted(read_acts()[act_name].operations):
            for problem_type in list_types_by_operation()[operation]:
                if problem_type.name not in tried:
                    tried.add(problem_type.name)
                    yield _make_problem_step(profile, act_name, problem_type.name)


def _make_problem_step(profile: Profile, act_name: str, problem: str) -> Step:
    reaction = read_reactions()[group_problem_types()[problem]]
    reads = 1 if read_acts()[act_name].reads else 0
    plan = FaultPlan(kind=FaultKind.REFUSE, problem=problem)
    return Step(
        name=f"problem-{problem}",
        acts={profile: act_name},
        calls=reaction.calls + reads,
        faults=(plan,),
    )


def digest_catalogue() -> str:
    """Return the SHA-256 of rules, steps and reactions, which a report names as its edition."""
    digest = sha256()
    for path in sorted(FOLDER.glob("*.yaml")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
