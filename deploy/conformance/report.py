"""The report of a run as JSON: rules, steps and calls, without personal data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from deploy.conformance.catalogue import (
    Profile,
    Rule,
    StrictPart,
    Text,
    digest_catalogue,
    read_rules,
)
from deploy.conformance.judges.examination import Examination
from deploy.conformance.judges.table import JUDGES
from deploy.conformance.script import StepRun
from deploy.conformance.trace import Call, Trace

FORMAT = "lien-thong/conformance/1"
MAX_EVIDENCE = 5


class Outcome(StrEnum):
    """The outcome of a rule, and of the whole run."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not_judged"


class FaultOut(StrictPart):
    """A way in which the system broke the rule, and the numbers of the calls that show it."""

    key: str
    text: Text
    calls: tuple[int, ...]


class RuleOut(StrictPart):
    """A rule with its outcome; `evidence` holds the first request ids, as the ledger has them."""

    number: int
    name: str
    title: Text
    source: str
    outcome: Outcome
    examined: int = Field(ge=0, description="the number of calls that give evidence")
    evidence: tuple[str, ...] = Field(max_length=MAX_EVIDENCE)
    faults: tuple[FaultOut, ...]


class StepOut(StrictPart):
    name: str
    act: str
    seconds: float
    calls: int
    end: str


class CallOut(StrictPart):
    """A recorded call; `began` is in seconds since the start of the run."""

    number: int
    step: str
    operation: str | None
    began: float
    status: int | None = Field(description="null where the connection was broken off")
    problem: str | None
    faults: tuple[str, ...]
    request_id: str | None


class Report(StrictPart):
    """The report of a run of the conformance kit."""

    format: Literal["lien-thong/conformance/1"] = "lien-thong/conformance/1"
    edition: str = Field(description="SHA-256 of the rules, steps and reactions")
    run: str
    client: str
    profile: Profile
    every_problem: bool
    gateway: str
    issuer: str
    began_at: datetime
    ended_at: datetime
    outcome: Outcome
    rules: tuple[RuleOut, ...]
    steps: tuple[StepOut, ...]
    calls: tuple[CallOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The facts of a run that no call shows; times are aware and UTC."""

    run: str
    client: str
    profile: Profile
    every_problem: bool
    gateway: str
    issuer: str
    began_at: datetime
    ended_at: datetime


def judge_rules(trace: Trace, profile: Profile) -> tuple[RuleOut, ...]:
    """Return the rules of the profile with their outcomes."""
    return tuple(
        _describe_rule(rule, JUDGES[rule.name](trace))
        for rule in read_rules()
        if profile in rule.profiles
    )


def _describe_rule(rule: Rule, examination: Examination) -> RuleOut:
    outcome = Outcome.PASSED if examination.examined else Outcome.NOT_JUDGED
    if examination.faults:
        outcome = Outcome.FAILED
    shown = [call for fault in examination.faults for call in fault.calls] or examination.examined
    ids = dict.fromkeys(call.request_id for call in shown if call.request_id)
    return RuleOut(
        number=rule.number,
        name=rule.name,
        title=rule.title,
        source=rule.source,
        outcome=outcome,
        examined=len(examination.examined),
        evidence=tuple(list(ids)[:MAX_EVIDENCE]),
        faults=tuple(
            FaultOut(
                key=fault.key,
                text=rule.faults[fault.key],
                calls=tuple(call.number for call in fault.calls),
            )
            for fault in examination.faults
        ),
    )


def sum_outcomes(rules: Sequence[RuleOut]) -> Outcome:
    """Return failed where any rule is, else not_judged where any is."""
    outcomes = {rule.outcome for rule in rules}
    for outcome in (Outcome.FAILED, Outcome.NOT_JUDGED):
        if outcome in outcomes:
            return outcome
    return Outcome.PASSED if outcomes else Outcome.NOT_JUDGED


def build_report(run: Run, trace: Trace, steps: Sequence[StepRun]) -> Report:
    rules = judge_rules(trace, run.profile)
    return Report(
        edition=digest_catalogue(),
        run=run.run,
        client=run.client,
        profile=run.profile,
        every_problem=run.every_problem,
        gateway=run.gateway,
        issuer=run.issuer,
        began_at=run.began_at,
        ended_at=run.ended_at,
        outcome=sum_outcomes(rules),
        rules=rules,
        steps=tuple(map(_describe_step, steps)),
        calls=tuple(map(_describe_call, trace.calls)),
    )


def _describe_step(run: StepRun) -> StepOut:
    return StepOut(
        name=run.step.name,
        act=run.act,
        seconds=round(run.seconds, 3),
        calls=run.calls,
        end=run.end,
    )


def _describe_call(call: Call) -> CallOut:
    return CallOut(
        number=call.number,
        step=call.step,
        operation=call.operation,
        began=round(call.began, 3),
        status=call.status,
        problem=call.problem,
        faults=tuple(call.faults),
        request_id=call.request_id,
    )


def serialise_report(report: Report) -> bytes:
    return (report.model_dump_json(indent=2) + "\n").encode()


def build_report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the report."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": FORMAT}
    return dialect | Report.model_json_schema(mode="serialization")
