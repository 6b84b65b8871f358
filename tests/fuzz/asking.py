"""Schemathesis as it asks here: derandomised, every check on that can hold, and one of our own."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.engine.run import PhaseName

from tests.fuzz.apis import Apis
from tests.fuzz.held import EVERYWHERE, Places, Values, by_operation

# What a schema cannot say: a calendar, a rule between two members, a time's bounds, a key's curve,
# that a cursor is one that was given, that digits may be a person's number, and that 1.0, an
# integer in JSON Schema, is not taken for 1 (shared/reading.py). Everything else that fits the
# schema has the right shape.
UNSAYABLE = (
    "should be a valid integer",
    "a number is wanted",
    "day of the calendar",
    "must be a real day",
    "kind 1",
    "2200-01-01",
    "1900-01-01",
    "1945-09-02",
    "2000-01-01",
    "2199-12-31",
    "lies in the past",
    "may be a person's number",
    "members do not make a key",
    "key is too weak",
    "private or shared key",
    "Send back `next`",
    "limit and after page the groups",
)
OF_SHAPE = {400, 413, 415, 422, 428}
SHAPES = {
    "/problems/invalid-request",
    "/problems/request-malformed",
    "/problems/purpose-missing",
    "/problems/precondition-required",
    "/problems/precondition-unreadable",
    "/problems/idempotency-key-unreadable",
    "/problems/token-request-malformed",
}
CHECKS = {
    # A body that fits may still be refused (an unknown procedure, a status that does not allow it):
    # `understood` below tells the two apart.
    "positive_data_acceptance": {"enabled": False},
    # Grants and dossiers that were made are read with the same right; nothing here is deleted but
    # dead letters, which stay readable, and keys, which have no path to be read at.
    "use_after_free": {"enabled": False},
    # RFC 6585 has a status of its own for a missing If-Match.
    "missing_required_header": {"expected-statuses": [400, 401, 422, 428]},
}
HALF = 0.5
OFTEN = 2
# How many more of them than of single requests: each asks a few operations in turn.
STORIES = 4
# Rows are judged one by one: each bad one is told in its own result, under 200. And of a form a
# member without a value counts as left out (RFC 6749 §3.2), which no schema says.
LENIENT = ["POST /sync/v1/dossiers", "POST /sync/v1/progress", "POST /oauth/token"]


@schemathesis.check
def understood(_: schemathesis.CheckContext, response: schemathesis.Response, case: Any) -> None:
    """Whatever fits the schema is never refused for its shape."""
    positive = case.meta and case.meta.generation.mode.is_positive
    if not positive or response.status_code not in OF_SHAPE:
        return
    if (case.headers or {}).get("X-Dossier") == "":
        return  # fits no pattern: Schemathesis leaves a header so where it finds no value for one
    problem = orjson.loads(response.content)
    told = str(problem.get("errors") or problem.get("detail"))
    if problem.get("type") in SHAPES and not any(each in told for each in UNSAYABLE):
        raise Failure(operation=case.operation.label, title="Refused for its shape", message=told)


@schemathesis.check
def advised(_: schemathesis.CheckContext, response: schemathesis.Response, case: Any) -> None:
    """Each refusal says how to mend it."""
    if response.status_code >= 400 and not orjson.loads(response.content).get("detail"):
        raise Failure(
            operation=case.operation.label,
            title="A problem without advice",
            message=response.content.decode(),
        )


@dataclass
class Report:
    asked: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    granted: Counter[str] = field(default_factory=Counter)
    # Of each story what was granted in it.
    stories: list[frozenset[str]] = field(default_factory=list)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def take(self, phase: str, recorder: ScenarioRecorder) -> None:
        granted = Counter[str]()
        for key, asked in recorder.interactions.items():
            label = recorder.cases[key].value.operation.label
            self.asked[phase] += 1
            self.operations.add(label)
            if asked.response is not None:
                self.statuses[asked.response.status_code] += 1
                if asked.response.status_code < 300:
                    granted[label] += 1
        self.granted += granted
        if phase == PhaseName.STATEFUL_TESTING.value:
            self.stories.append(frozenset(granted))
        for key, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    self._fail(recorder.cases[key].value.operation.label, check.failure_info)

    def _fail(self, label: str, info: Any) -> None:
        found = info.failure
        self.failures[label, found.title, found.message[:200]] = info.code_sample

    @property
    def unanswered(self) -> list[str]:
        """What was asked and never granted."""
        return sorted(self.operations.difference(self.granted))

    def __str__(self) -> str:
        told = [f"{where}: {title}: {what}" for where, title, what in self.failures]
        return "\n".join([*told, *self.errors])


def ask(
    apis: Apis, service: str, *, examples: int, passed_on: Collection[str] = frozenset()
) -> Report:
    """Every operation that `service` describes, alone and one after the other.

    What is `passed_on` is asked at random, not by every rule of its schema: whoever reads it is
    asked that alone.
    """
    schema = schemathesis.openapi.from_url(
        apis.addresses[service] + _document(service),
        config=_config(examples, passed_on, by_operation(apis)),
    )
    schema.auth(refresh_interval=None)(_proof(apis, service))
    report = Report()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            report.take(event.phase.value, event.recorder)
        elif isinstance(event, events.NonFatalError):
            report.errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return report


def _document(service: str) -> str:
    return "/openapi.json" if service == "gateway" else f"/{service}/v1/openapi.json"


def _config(
    examples: int, passed_on: Collection[str], own: Mapping[str, Places]
) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "continue-on-failure": True,
            "generation": {
                "deterministic": True,
                "max-examples": examples,
                "no-shrink": True,
                "database": "none",
                # What a client library can put in a header; the wire itself is another test's.
                "exclude-header-characters": "".join(map(chr, range(0x80, 0x100))),
            },
            # What is wrong is asked in the other phases; it would only end a story here. And the
            # links that are described are followed, none that could be guessed.
            "phases": {
                "stateful": {
                    "generation": {"max-examples": STORIES * examples, "mode": "positive"},
                    "inference": {"algorithms": []},
                }
            },
            "checks": CHECKS,
            "dictionaries": {
                _dictionary(values): {"values": list(values)}
                for places in (EVERYWHERE, *own.values())
                for values in places.values()
            },
            "parameters": dict(_bound(EVERYWHERE, HALF)),
            "operations": _operations(examples, passed_on, own),
        }
    )


def _operations(
    examples: int, passed_on: Collection[str], own: Mapping[str, Places]
) -> list[dict[str, Any]]:
    # Each change is asked for often enough to be granted; what it is not told is drawn at random.
    often = {"max-examples": OFTEN * examples}
    operations = {
        name: {"parameters": dict(_bound(each, 1.0)), "generation": often}
        for name, each in own.items()
    }
    for name in LENIENT:
        operations.setdefault(name, {})["checks"] = {"negative_data_rejection": {"enabled": False}}
    for name in passed_on:
        operations.setdefault(name, {})["phases"] = {"coverage": {"enabled": False}}
    return [{"include-name": name, **each} for name, each in operations.items()]


def _bound(places: Places, probability: float) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, values in places.items():
        yield place, {"dictionary": _dictionary(values), "probability": probability}


def _dictionary(values: Values) -> str:
    """A name for them, the same for the same ones."""
    return sha256(repr(values).encode()).hexdigest()


def _proof(apis: Apis, service: str) -> type[Any]:
    class Proof:
        def get(self, _: Any, context: schemathesis.AuthContext) -> dict[str, str]:
            operation = context.operation
            return apis.headers(service, f"{operation.method.upper()} {operation.path}")

        def set(self, case: Any, data: dict[str, str], _: schemathesis.AuthContext) -> None:
            case.headers = {**(case.headers or {}), **data}

    return Proof
