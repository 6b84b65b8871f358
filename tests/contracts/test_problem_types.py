"""The document of the API names the types of problems that the code of each operation can raise."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.api_docs.openapi import merge_api_documents
from gateway.api_docs.problem_types import read_problem_types
from gateway.operations.model import Service
from tests.contracts.comparing import operations
from tests.contracts.test_openapi import DOCUMENTS

PUBLISHED = operations(
    merge_api_documents({service: dict(DOCUMENTS[service.value]) for service in Service})
)
DOSSIER = "/dossier/v1/dossiers/{code}"
# The types of some answers, worked out by hand.
TYPES = {
    (f"GET {DOSSIER}", "404"): {"/problems/dossier-not-found"},
    (f"POST {DOSSIER}/transitions", "404"): {"/problems/dossier-not-found"},
    (f"POST {DOSSIER}/transitions", "412"): {"/problems/changed-meanwhile"},
    (f"POST {DOSSIER}/transitions", "428"): {"/problems/precondition-required"},
    ("GET /sync/v1/indicators/{indicator}", "404"): {
        "/problems/agency-not-found",
        "/problems/indicator-not-found",
        "/problems/procedure-not-found",
    },
    ("DELETE /sync/v1/dead-letters/{letter_id}", "409"): {"/problems/dead-letter-settled"},
}


def list_names(operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for status, answer in operation["responses"].items():
        for name in answer.get("x-problem-types", ()):
            yield status, name


def test_each_type_stands_with_its_status_or_with_those_that_have_no_answer_of_their_own() -> None:
    statuses = {kind.type: str(kind.status) for kind in read_problem_types().values()}
    for operation in PUBLISHED.values():
        documented = operation["responses"].keys()
        for status, name in list_names(operation):
            expected = statuses[name] if statuses[name] in documented else "default"
            assert status == expected


def test_document_and_pages_name_the_same_operations() -> None:
    named = {
        (name, kind) for name, operation in PUBLISHED.items() for _, kind in list_names(operation)
    }
    paged = {
        (name, kind.type)
        for kind in read_problem_types().values()
        for name in (PUBLISHED if "*" in kind.operations else kind.operations)
    }
    assert named == paged


def test_every_refusal_that_the_document_announces_has_a_type() -> None:
    """A conflict is announced by the form of the operation, and some can have none."""
    bare = [
        (name, status)
        for name, operation in PUBLISHED.items()
        for status, answer in operation["responses"].items()
        if status >= "400" and status != "409" and not answer.get("x-problem-types")
    ]
    assert bare == []


@pytest.mark.parametrize(("name", "status"), TYPES)
def test_answer_names_its_types_to_programs_and_readers(name: str, status: str) -> None:
    answer = PUBLISHED[name]["responses"][status]
    assert set(answer["x-problem-types"]) == TYPES[name, status]
    for kind in TYPES[name, status]:
        assert f"`{kind}`" in answer["description"]
