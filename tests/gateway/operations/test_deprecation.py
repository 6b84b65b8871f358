"""A deprecated operation says so in each answer and in the document, and no other one does.

No operation is deprecated now, so the table of these tests marks some.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from gateway.api_docs import openapi
from gateway.operations import matching
from gateway.operations.deprecation import list_deprecation_headers
from gateway.operations.model import Operation, Service, read
from gateway.operations.table import OPERATIONS, build_operation_table
from shared.codes.deprecation import Deprecation
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import Gate, make_grant

DOSSIER = "GET /dossier/v1/dossiers/{code}"
HISTORY = "GET /dossier/v1/dossiers/{code}/history"
RECORDS = "GET /ledger/v1/records"
SEALS = "GET /ledger/v1/seals"
KEYS = "GET /.well-known/jwks.json"
METADATA = "GET /.well-known/oauth-authorization-server"
REVOCATION = "POST /identity/v1/grants/{grant_id}/revocation"
GRANT = "GET /identity/v1/grants/{grant_id}"
SUCCESSORS = {DOSSIER: HISTORY, RECORDS: SEALS, KEYS: METADATA, REVOCATION: GRANT}
SINCE, SUNSET = date(2026, 11, 2), date(2027, 11, 2)
NAMES = {"code": "000.00.00.H26-261102-000001", "grant_id": "7"}


def mark(operation: Operation) -> Operation:
    successor = SUCCESSORS.get(operation.name)
    if successor is None:
        return operation
    return replace(operation, deprecation=Deprecation(SINCE, SUNSET, successor))


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Operation]:
    marked = build_operation_table(map(mark, OPERATIONS.values()))
    monkeypatch.setattr(matching, "_ROOT", matching.build_operation_tree(marked.values()))
    monkeypatch.setattr(openapi, "OPERATIONS", marked)
    return marked


@pytest.fixture
async def holder(gate: Gate) -> str:
    """A client with a right to all operations."""
    return await gate.newcomer(make_grant(operations=list(OPERATIONS), agencies=None))


def assert_deprecated(answer: httpx.Response, name: str) -> None:
    successor = SUCCESSORS[name].partition(" ")[2].format(**NAMES)
    assert answer.headers.get_list("Deprecation") == ["@1793577600"]
    assert answer.headers.get_list("Sunset") == ["Tue, 02 Nov 2027 00:00:00 GMT"]
    assert answer.headers.get_list("Link") == [
        f'<{successor}>; rel="successor-version", </docs>; rel="deprecation"; type="text/html"'
    ]


def answer_with(status: int) -> Response:
    return JSONResponse({}, status, headers={"X-Subject": SUBJECT})


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", SUCCESSORS)
async def test_every_answer_of_a_deprecated_operation_says_so(
    gate: Gate, holder: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for status in (200, 304, 404, 503):
        monkeypatch.setattr(gate.services, "answer", partial(answer_with, status))
        assert_deprecated(await gate.ask(name.format(**NAMES), client=holder), name)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", [DOSSIER, RECORDS, REVOCATION])
async def test_refusal_by_the_gateway_says_so_too(gate: Gate, holder: str, name: str) -> None:
    asked = name.format(**NAMES)
    unproven = await gate.ask(asked, headers={"Authorization": "Bearer none"})
    assert unproven.status_code == 401
    assert_deprecated(unproven, name)
    without_right = await gate.ask(asked, client=await gate.newcomer())
    assert without_right.status_code == 403
    assert_deprecated(without_right, name)
    with_body = await gate.ask(asked, client=holder, content=b"x" * 70_000)
    assert with_body.status_code == 413
    assert_deprecated(with_body, name)


@pytest.mark.usefixtures("table")
async def test_operation_that_stays_says_nothing(gate: Gate, holder: str) -> None:
    for name in (HISTORY, SEALS, METADATA, GRANT):
        for client in (holder, "nobody"):
            answer = await gate.ask(name.format(**NAMES), client=client)
            assert not {"deprecation", "sunset", "link"} & set(answer.headers)


def test_path_with_a_personal_number_is_not_repeated() -> None:
    deprecation = Deprecation(SINCE, SUNSET, HISTORY)
    headers = dict(list_deprecation_headers(deprecation, {"code": "001090000001"}))
    assert headers[b"link"] == b'</docs>; rel="deprecation"; type="text/html"'


def test_document_marks_the_deprecated_operations_alone(
    table: Mapping[str, Operation],
) -> None:
    paths: dict[str, dict[str, object]] = {}
    for operation in table.values():
        described = {"responses": {}, "description": "Read one thing."}
        paths.setdefault(operation.template, {})[operation.method.lower()] = described
    parts = {service: {"paths": paths, "components": {}} for service in Service}
    document = openapi.merge_api_documents(parts)
    marked = {
        f"{method.upper()} {path}": operation["description"].split("\n\n")[:2]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("deprecated")
    }
    announced = "Deprecated since 2026-11-02; it may be gone from 2027-11-02 on."
    assert marked == {
        name: [
            f"{announced} Use `{successor}` instead.",
            "Read one thing.",
        ]
        for name, successor in SUCCESSORS.items()
    }


WRONG_TABLES = {
    "name an operation to use instead": "GET /dossier/v2/dossiers/{code}",
    "lacks a parameter of": "GET /identity/v1/grants/{grant_id}",
}


@pytest.mark.parametrize(("fault", "successor"), WRONG_TABLES.items(), ids=WRONG_TABLES)
def test_successor_is_an_operation_that_the_same_path_reaches(fault: str, successor: str) -> None:
    deprecation = Deprecation(SINCE, SUNSET, successor)
    wrong = replace(OPERATIONS[DOSSIER], deprecation=deprecation)
    with pytest.raises(ValueError, match=fault):
        build_operation_table([wrong, OPERATIONS[GRANT]])


def test_successor_is_not_deprecated_itself() -> None:
    last = read("/dossier/v3/dossiers/{code}", Service.DOSSIER)
    middle = replace(
        read("/dossier/v2/dossiers/{code}", Service.DOSSIER),
        deprecation=Deprecation(SINCE, SUNSET, last.name),
    )
    first = replace(OPERATIONS[DOSSIER], deprecation=Deprecation(SINCE, SUNSET, middle.name))
    with pytest.raises(ValueError, match="name an operation to use instead"):
        build_operation_table([first, middle, last])
