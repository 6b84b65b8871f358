"""The types of problems that the documents name are those that are raised, with their status."""

from tests.contracts.test_api_guide import problems
from tests.contracts.test_openapi import DESCRIBED

NAMED = {
    (kind, int(status))
    for operation in DESCRIBED.values()
    for status, answer in operation["responses"].items()
    for kind in answer.get("x-problem-types", ())
}


def test_type_of_a_document_is_raised_with_its_status() -> None:
    raised = {
        (problem.type, int(problem.status)) for problem in problems() if hasattr(problem, "status")
    }
    assert NAMED
    assert NAMED - raised == set()


def test_resource_that_is_missing_has_a_type_of_its_own() -> None:
    for operation in DESCRIBED.values():
        if "404" in operation["responses"]:
            (kind,) = operation["responses"]["404"]["x-problem-types"]
            assert kind.endswith("-not-found")


def test_description_of_a_problem_names_its_types() -> None:
    change = DESCRIBED["dossier", "POST /dossier/v1/dossiers/{code}/transitions"]["responses"]
    assert change["404"]["x-problem-types"] == ["/problems/dossier-not-found"]
    assert change["412"]["x-problem-types"] == ["/problems/changed-meanwhile"]
    assert "`/problems/changed-meanwhile`" in change["412"]["description"]
    assert "/problems/idempotency-key-reused" in change["422"]["x-problem-types"]
