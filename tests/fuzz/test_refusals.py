"""The list of refusals that no schema can say holds no more than it says."""

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.schemas import openapi
from deploy.services import SERVICES
from gateway.operations.table import OPERATIONS
from shared.web.problems import Problem
from tests.fuzz.refusals import FAULTS, FUTURE, HEADERS, NUMBER, RELATED, STORED, is_unsayable

VERIFY, FILE = "POST /identity/v1/verifications", "POST /dossier/v1/dossiers"


def problem(kind: str, detail: str = "", **faults: str) -> dict[str, Any]:
    errors = [{"at": at.replace("__", "."), "is": words} for at, words in faults.items()]
    return {"type": f"/problems/{kind}", "detail": detail} | ({"errors": errors} if errors else {})


def _kinds(problem_class: type[Problem]) -> Iterator[str]:
    for each in problem_class.__subclasses__():
        yield getattr(each, "type", "")
        yield from _kinds(each)


def test_each_row_names_an_operation_and_a_problem_that_there_are() -> None:
    for service in SERVICES:
        openapi(service)  # imports the problems of the service
    named = {*HEADERS, *(kind for row in (*STORED.values(), *RELATED.values()) for kind in row)}
    assert {f"/problems/{kind}" for kind in named} <= set(_kinds(Problem))
    assert {*STORED, *RELATED, *FAULTS} <= set(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "refusal"),
    [
        (VERIFY, problem("invalid-request", body__birth_date=f"a birth date {FUTURE}")),
        (FILE, problem("invalid-request", body__documents__7__paper=NUMBER)),
        (FILE, problem("procedure-unknown")),
        (FILE, problem("request-malformed", "X-Officer holds nine or twelve digits, which may "
                       "be a person's number: use a code of yours.")),
        ("GET /dossier/v1/dossiers", problem("cursor-unreadable")),
    ],
)  # fmt: skip
def test_refusal_that_is_listed_passes(operation: str, refusal: dict[str, Any]) -> None:
    assert is_unsayable(operation, refusal)


@pytest.mark.parametrize(
    ("operation", "refusal"),
    [
        (VERIFY, problem("invalid-request")),
        (VERIFY, problem("invalid-request", body__birth_date="a birth date is a day")),
        (VERIFY, problem("invalid-request", body__full_name=NUMBER)),
        (FILE, problem("invalid-request", body__external_code=NUMBER, body__summary="too short")),
        (FILE, problem("amount-wrong")),
        (FILE, problem("request-malformed", "X-Dossier: a dossier code has three blocks.")),
        (FILE, problem("cursor-unreadable")),
        (FILE, problem("body-too-large")),
    ],
)
def test_refusal_of_another_operation_place_or_reason_is_a_fault(
    operation: str, refusal: dict[str, Any]
) -> None:
    assert not is_unsayable(operation, refusal)
