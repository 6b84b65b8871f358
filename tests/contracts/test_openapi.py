"""What callers built on stays: every operation, what it answers, and what it asks for."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from deploy.schemas import openapi
from deploy.services import SERVICES
from gateway.access.problems import QuotaSpent
from gateway.operations.table import OPERATIONS
from shared.web.openapi.problems import PROBLEM
from shared.web.problems import Invalid, Problem, respond
from tests.contracts.comparing import breaks, operations
from tests.contracts.written import REGENERATE, committed

INCOMPATIBLE = f"callers rely on it; if none does yet, {REGENERATE}"
PROBLEM_JSON = "application/problem+json"
WORDS = {"description", "examples"}
PUBLIC = ("/.well-known/", "/oauth/")
DOCUMENTS = {service.short: openapi(name) for name, service in SERVICES.items()}


DESCRIBED = {
    (short, name): operation
    for short, document in DOCUMENTS.items()
    for name, operation in operations(document).items()
}
GUARDED = {key: each for key, each in DESCRIBED.items() if not key[1].split()[1].startswith(PUBLIC)}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_operation_of_the_gateway_is_one_of_its_service(operation: Any) -> None:
    assert (operation.service.value, operation.name) in DESCRIBED


@pytest.mark.parametrize(("service", "name"), GUARDED)
def test_operation_of_a_service_can_be_asked_through_the_gateway(service: str, name: str) -> None:
    assert name in OPERATIONS
    assert OPERATIONS[name].service == service
    assert not OPERATIONS[name].public


@pytest.mark.parametrize("operation", GUARDED.values(), ids=map(str, GUARDED))
def test_every_error_is_described_as_a_problem(operation: dict[str, Any]) -> None:
    errors = {s: answer for s, answer in operation["responses"].items() if s >= "400"}
    assert set(errors) >= {"400", "401", "403", "429", "503"}
    for answer in errors.values():
        assert answer["content"] == {
            PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    assert operation["security"] == [{"token": []}]


ERRORS = {
    "POST /identity/v1/verifications": {"415", "422"},
    "POST /identity/v1/agencies": {"409", "415", "422"},
    "GET /identity/v1/grants/{grant_id}": {"404", "422"},
    "GET /dossier/v1/dossiers": {"422"},
    "GET /dossier/v1/dossiers/{code}": {"404", "422"},
    "POST /dossier/v1/dossiers/{code}/transitions": {"404", "409", "412", "415", "422", "428"},
    "POST /sync/v1/dossiers": {"415", "422"},
    "GET /sync/v1/indicators": set(),
    "DELETE /sync/v1/dead-letters/{letter_id}": {"404", "409", "422"},
    "GET /ledger/v1/records/{record_id}": {"404", "422"},
}


@pytest.mark.parametrize(("name", "own"), ERRORS.items(), ids=ERRORS)
def test_errors_described_are_those_that_callers_meet(name: str, own: set[str]) -> None:
    responses = DESCRIBED[OPERATIONS[name].service.value, name]["responses"]
    told = {status for status in responses if status >= "400"}
    assert told == {"400", "401", "403", "429", "503"} | own


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_each_form_has_words_or_an_example(document: dict[str, Any]) -> None:
    """They are what a caller is told who did not keep to it."""
    bare = [shape for shape in forms(document) if not WORDS & shape.keys()]
    assert bare == []


def forms(part: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, Mapping):
        yield from ([part] if isinstance(part.get("pattern"), str) else [])
        # Of a key's shapes none is refused by its pattern: what reads it has its own words.
        told = {"oneOf"} | ({"anyOf"} if WORDS & part.keys() else set())
        part = {name: each for name, each in part.items() if name not in told}
    inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    for each in inner:
        yield from forms(each)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_no_reference_leads_nowhere(document: dict[str, Any]) -> None:
    known = {
        f"#/components/{kind}/{name}"
        for kind, parts in document["components"].items()
        for name in parts
    }
    assert set(references(document)) <= known


def references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
    inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    for each in inner:
        yield from references(each)


@pytest.mark.parametrize(
    "problem",
    [
        QuotaSpent("read", amount=10, window_s=60, reset_s=3),
        Invalid(errors=[{"at": "body.full_name", "is": "Field required"}]),
    ],
    ids=["of the gateway", "of a service"],
)
def test_problem_is_answered_in_the_described_shape(problem: Problem) -> None:
    answer = respond(problem, {"type": "http", "headers": []})
    assert answer.headers["Content-Type"] == PROBLEM_JSON
    Draft202012Validator(dict(PROBLEM)).validate(orjson.loads(bytes(answer.body)))


@pytest.mark.parametrize("short", DOCUMENTS)
def test_api_is_still_what_callers_know(short: str) -> None:
    found = breaks(committed(f"openapi-{short}.json"), DOCUMENTS[short])
    assert not found, f"{'; '.join(found)}: {INCOMPATIBLE}"
