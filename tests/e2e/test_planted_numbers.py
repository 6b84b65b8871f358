"""A person's number, in each spelling and each text of each operation, stays where it belongs.

It may stand with the dossier, in the fields that are meant to hold it and in the officer's own
words. It stands in no event, log, metric, code, registry or view, and in no record of the ledger.
"""

from collections.abc import Iterator
from typing import Any
from unicodedata import decimal
from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest

from deploy.dev_stack.stack import read_stack
from deploy.postgres import as_superuser
from deploy.services import SERVICES
from gateway.operations.model import Operation
from tests.e2e.hostile import filled, places_of
from tests.e2e.operations import GOOD, WITH_BODY, body_shape
from tests.support.mesh import Mesh

pytestmark = [pytest.mark.last, pytest.mark.slow, pytest.mark.timeout(900)]

# No persona and no synthetic person has it.
PLANTED = "079199887766"
GROUPS = (PLANTED[:3], PLANTED[3:6], PLANTED[6:9], PLANTED[9:])
SPELLINGS = (
    PLANTED, *(sign.join(GROUPS) for sign in ("-", ".", "/", "_", ":", " ", ", ", " - ")),
    " ".join(PLANTED), f"x{PLANTED}", f"cccd-{PLANTED}", f"{PLANTED}z", f"so-{PLANTED}-1",
    f"12-{PLANTED}", "....".join(GROUPS), "a".join(GROUPS), "abc".join(GROUPS), " x ".join(GROUPS),
    f"x{'-'.join(GROUPS)}z", f"H26.{'.'.join(GROUPS)}", f"1.001193.H26.{'.'.join(GROUPS)}",
    f"H26.{'.'.join(GROUPS)}-261102-0001", f"{PLANTED}abcdefabcdefabcdefab",
    "\u200b".join(GROUPS), "\u2011".join(GROUPS), "\u00a0".join(GROUPS),
    PLANTED.translate({ord(str(n)): 0xFF10 + n for n in range(10)}),
    PLANTED.translate({ord(str(n)): 0x0660 + n for n in range(10)}),
)  # fmt: skip
HEADERS = ("X-Officer", "X-Purpose", "X-Dossier", "X-Request-Id", "Idempotency-Key", "traceparent")
# Columns of the dossier itself, which no other agency and no view is given.
MEANT = {
    "dossier": {"summary", "note"},
    "dossier_step": {"note"},
    "dossier_applicant": {"name", "personal_number", "organisation_number", "phone", "email",
                          "address", "birth_date"},
    "dossier_document": {"name"},
    "dossier_result": {"number", "title"},
}  # fmt: skip


def _texts(operation: Operation) -> Iterator[tuple[str, ...]]:
    """Yield the places of texts in the body of an operation."""
    shape = body_shape(operation)
    assert shape
    for place in sorted(places_of(shape)):
        at = shape.at([0 if part == "[]" else part for part in place])
        if at.get("type") == "string":
            yield place


def test_each_text_of_each_operation_was_tried() -> None:
    tried = {(each.name, ".".join(place)) for each in WITH_BODY for place in _texts(each)}
    assert ("POST /dossier/v1/dossiers/{code}/progress", "step") in tried
    assert ("POST /sync/v1/progress", "rows.[].step") in tried
    assert ("POST /dossier/v1/dossiers", "applicant.personal_number") in tried


@pytest.fixture(scope="module")
def http(mesh: Mesh) -> Iterator[httpx.Client]:
    headers = {**mesh.sign_in("operator-vpcp"), "Content-Type": "application/json"}
    with httpx.Client(base_url=mesh.gateway, headers=headers, timeout=120.0) as client:
        yield client


@pytest.fixture(scope="module")
def filed(http: httpx.Client) -> str:
    """Return the code of a dossier that can be changed."""
    answer = http.post("/dossier/v1/dossiers", json=GOOD["POST /dossier/v1/dossiers"])
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda each: each.name)
def test_no_answer_repeats_a_number_out_of_a_body(
    http: httpx.Client, filed: str, operation: Operation
) -> None:
    path = operation.template.format(code=filed, client_id="onestop-h26")
    version = _version(http, filed)
    for place in _texts(operation):
        for spelling in SPELLINGS:
            body = filled(GOOD[operation.name], place, orjson.dumps(spelling))
            headers = {"Idempotency-Key": str(uuid4()), "If-Match": version}
            answer = http.post(path, content=body, headers=headers)
            assert answer.status_code < 500, (place, ascii(spelling), answer.text)
            if answer.is_client_error:
                assert PLANTED not in _digits(answer.text), place
            if answer.is_success or answer.status_code == httpx.codes.PRECONDITION_FAILED:
                version = _version(http, filed)


def _version(http: httpx.Client, code: str) -> str:
    return http.get(f"/dossier/v1/dossiers/{code}").headers["ETag"]


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
def test_no_answer_repeats_a_number_out_of_a_header(
    http: httpx.Client, name: str, spelling: str
) -> None:
    sent = {"Idempotency-Key": str(uuid4())} | {name: spelling}
    headers = [(each.encode(), value.encode()) for each, value in sent.items()]
    operation = "POST /dossier/v1/dossiers"
    answer = http.post("/dossier/v1/dossiers", json=GOOD[operation], headers=headers)
    assert answer.status_code < 500
    told = answer.text if answer.is_client_error else ""
    for text in (told, *answer.headers.values()):
        assert PLANTED not in _digits(text)


def test_no_answer_repeats_a_number_out_of_an_address(http: httpx.Client) -> None:
    for spelling in SPELLINGS:
        for path in ("/dossier/v1/dossiers/{}", "/sync/v1/dossiers?agency={}", "/identity/v1/{}",
                     "/dossier/v1/procedures?q={}", "/identity/v1/agencies?q={}"):  # fmt: skip
            answer = http.get(path.format(httpx.QueryParams({"": spelling}).__str__()[1:]))
            assert answer.status_code < 500
            assert PLANTED not in _digits(answer.text)


def test_no_metric_or_log_holds_the_number(mesh: Mesh) -> None:
    doors = [mesh.gateway, *(mesh.worker(service.short) for service in SERVICES.values())]
    told = [httpx.get(f"{door}/metrics", timeout=60).raise_for_status().text for door in doors]
    logs = [log.read_text(errors="replace") for log in mesh.directory.rglob("*.log")]
    assert len(logs) > 9
    for text in (*told, *logs):
        assert not [line for line in text.splitlines() if PLANTED in _digits(line)]


@pytest.mark.parametrize("service", SERVICES)
async def test_number_stands_only_in_columns_that_are_meant_to_hold_it(
    mesh: Mesh, service: str
) -> None:
    found: dict[str, set[str]] = {}
    searched = 0
    async with as_superuser(
        read_stack(mesh.environment).admin_url, SERVICES[service].database
    ) as connection:
        for table in await _tables(connection):
            for row in await connection.fetch(f'SELECT * FROM "{table}"'):
                searched += 1
                for column, value in row.items():
                    if PLANTED in _digits(_text(value)):
                        found.setdefault(table, set()).add(column)
    assert searched
    unmeant = {table: columns - MEANT.get(table, set()) for table, columns in found.items()}
    assert {table: columns for table, columns in unmeant.items() if columns} == {}


async def _tables(connection: asyncpg.Connection) -> list[str]:
    """Return the tables that callers can write into: not the register of people, nor parents."""
    rows = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'person'"
    )
    return [row["tablename"] for row in rows]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _digits(text: str) -> str:
    """Return the digits of every script, in order and without anything between them."""
    return "".join(str(decimal(char)) for char in text if char.isdecimal())
