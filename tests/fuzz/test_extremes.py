"""No day, instant, number or cursor breaks an operation; what is refused is named."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import orjson
import pytest

from deploy.schemas import openapi
from deploy.services import SERVICES
from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from shared.web.bodies.schema_navigator import SchemaNavigator
from tests.access import bodies
from tests.fuzz.apis import Apis
from tests.fuzz.extremes import IN_BODY, IN_QUERY, Place, members, query_words

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DOCUMENTS = {service.short: openapi(name) for name, service in SERVICES.items()}
NAMED = {
    "code": "H26-261102-0001",
    "client_id": "onestop-h26",
    "indicator": "on_time",
    "letter_id": "0193a5c8-0000-7000-8000-000000000001",
}
NEEDED = {"GET /sync/v1/indicators/{indicator}": {"period": "2026-11", "group_by": "agency"}}
GOOD: Mapping[str, dict[str, Any]] = {
    "POST /identity/v1/agencies": bodies.new_agency("H77"),
    "POST /identity/v1/grants": bodies.new_grant(),
    "POST /dossier/v1/dossiers": bodies.wish("H26"),
    "POST /dossier/v1/dossiers/{code}/transitions": {"to": 4},
    "POST /dossier/v1/dossiers/{code}/payments": bodies.payment(),
    "POST /sync/v1/dossiers": {"rows": [bodies.row("H26")]},
    "POST /sync/v1/progress": bodies.progress_of(NAMED["code"]),
}


def _described(operation: Operation) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    document = DOCUMENTS[operation.service.value]
    return document["paths"][operation.template][operation.method.lower()], document


def _words(operation: Operation) -> list[Place]:
    return list(query_words(*_described(operation)))


def _members(operation: Operation) -> list[Place]:
    described, document = _described(operation)
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    return list(members(SchemaNavigator(content.get("schema", {}), document)))


WITH_WORDS = [each for each in OPERATIONS.values() if _words(each)]
WITH_MEMBERS = [each for each in OPERATIONS.values() if _members(each)]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60.0) as client:
        yield client


def test_each_body_with_a_number_or_a_time_is_tried() -> None:
    assert {"POST /identity/v1/verifications", *GOOD} >= {each.name for each in WITH_MEMBERS}


@pytest.mark.parametrize("operation", WITH_WORDS, ids=lambda each: each.name)
def test_query_word_beyond_all_ends_is_refused_by_name(
    apis: Apis, http: httpx.Client, operation: Operation
) -> None:
    wrong = {}
    for (name,), kind in _words(operation):
        for value in IN_QUERY[kind]:
            sent = {**NEEDED.get(operation.name, {}), name: value}
            answer = _ask(apis, http, operation, params=sent)
            if fault := _fault(answer, name, refused=kind == "cursor" and not value):
                wrong[name, value[:60]] = fault
    assert wrong == {}


@pytest.mark.parametrize("operation", WITH_MEMBERS, ids=lambda each: each.name)
def test_member_beyond_all_ends_is_refused_by_name(
    apis: Apis, http: httpx.Client, operation: Operation
) -> None:
    wrong = {}
    if operation.name not in GOOD:
        pytest.skip("its numbers are choices of two")
    for names, kind in _members(operation):
        for value in IN_BODY[kind]:
            body = _with(GOOD[operation.name], names, value)
            answer = _ask(apis, http, operation, content=json.dumps(body))
            if fault := _fault(answer, names[-1]):
                wrong[".".join(names), str(value)[:60]] = fault
    assert wrong == {}


def _ask(apis: Apis, http: httpx.Client, operation: Operation, **sent: Any) -> httpx.Response:
    service = operation.service.value
    headers = {
        **apis.headers(service, operation.name),
        "Content-Type": "application/json",
        "X-Purpose": "1.001193",
        "X-Officer": "officer-1",
        "If-Match": '"999"',
    }
    address = apis.addresses[service] + operation.template.format(**NAMED)
    return http.request(operation.method, address, headers=headers, **sent)


def _fault(answer: httpx.Response, name: str, *, refused: bool = False) -> str | None:
    """Say what is wrong with the answer to an extreme value of `name`."""
    if answer.status_code >= 500 or "NUL" in answer.text:
        return f"{answer.status_code} {answer.text[:200]}"
    if refused and answer.status_code not in {400, 422}:
        return f"taken: {answer.status_code}"
    problem = answer.json()
    if answer.status_code == 422 and problem["type"] == "/problems/invalid-request":
        named = [each["at"].split(".")[-1] for each in problem.get("errors", ())]
        # A number of too many digits cannot be read, so nothing can say where it stands.
        if name not in named and "digits" not in answer.text:
            return f"not named: {answer.text[:200]}"
    return None


def _with(good: Mapping[str, Any], names: tuple[str, ...], value: Any) -> Any:
    whole = orjson.loads(orjson.dumps(good))
    at = whole
    for name in names[:-1]:
        at = at[0] if name == "[]" else at[name]
    at[0 if names[-1] == "[]" else names[-1]] = value
    return whole
