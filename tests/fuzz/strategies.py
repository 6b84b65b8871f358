"""Schemathesis as it asks here: derandomised, every check on, and two of our own."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx
import orjson
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.engine.run import PhaseName

from tests.dossier_service.desk import COPY
from tests.fuzz.apis import Apis
from tests.fuzz.refusals import filter_failure
from tests.fuzz.seed_data import EVERYWHERE, Places, Values, by_operation

CHECKS = {
    # A version that was changed meanwhile; all other refusals are told apart in `refusals`.
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "412", "429", "5xx"]
    },
    # RFC 6585 has a status of its own for a missing If-Match.
    "missing_required_header": {"expected-statuses": [400, 401, 422, 428]},
}
# Schemathesis draws headers of letters and digits alone, or gives up, where a pattern has other
# signs. Codes of dossiers and procedures are drawn in paths and bodies, and held to their patterns.
FIXED = {"header.X-Dossier": "H26-261102-0001", "header.X-Purpose": COPY}
HALF = 0.5
OFTEN = 2
# How many more of them than of single requests: each asks a few operations in turn.
STORIES = 4


@schemathesis.check
def advised(_: schemathesis.CheckContext, response: schemathesis.Response, case: Any) -> None:
    """Each refusal says how to mend it."""
    if response.status_code >= 400 and not orjson.loads(response.content).get("detail"):
        raise Failure(
            operation=case.operation.label,
            title="A problem without advice",
            message=response.content.decode(),
        )


# Equal refusals are one, whatever the ids of their calls.
TRACE = re.compile(r',?"trace_id":"[^"]*"')


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
                    answer = recorder.find_response(case_id=key)
                    told = TRACE.sub("", answer.content.decode())[:300] if answer else ""
                    label = recorder.cases[key].value.operation.label
                    self._fail(label, check.failure_info, told)

    def _fail(self, label: str, info: Any, answer: str) -> None:
        found = info.failure
        self.failures[label, found.title, f"{found.message[:200]} {answer}"] = info.code_sample

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
    address = apis.addresses[service]
    document = httpx.get(address + _document(service), trust_env=False).raise_for_status().json()
    schema = schemathesis.openapi.from_dict(
        _without_examples_in_paths(document),
        config=_config(address, examples, passed_on, by_operation(apis)),
    )
    schema.auth(refresh_interval=None)(_proof(apis, service))
    schema.hook(filter_failure)
    report = Report()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            report.take(event.phase.value, event.recorder)
        elif isinstance(event, events.NonFatalError):
            report.errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return report


def _without_examples_in_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Leave the values in paths to the dictionaries: a document's example is in no database."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter.get("in") == "path":
                    parameter.pop("example", None)
    return document


def _document(service: str) -> str:
    return "/openapi.json" if service == "gateway" else f"/{service}/v1/openapi.json"


def _config(
    address: str, examples: int, passed_on: Collection[str], own: Mapping[str, Places]
) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "base-url": address,
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
            "parameters": {**dict(_bound(EVERYWHERE, HALF)), **FIXED},
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
            if not _proves_itself(case):
                case.headers = {**(case.headers or {}), **data}

    return Proof


def _proves_itself(case: Any) -> bool:
    """Return whether the form holds a proof: a token is asked for with one, here or in a header."""
    form = case.body if case.operation.label == "POST /oauth/token" else {}
    return isinstance(form, Mapping) and any(form.get(name) for name in PROOFS)


PROOFS = ("client_assertion", "client_secret")
