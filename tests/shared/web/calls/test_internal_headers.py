"""The gateway reads the facts for the ledger as the services write them, and no others."""

import ast

import pytest
from starlette.datastructures import Headers

from shared.web.calls import internal_headers
from shared.web.calls.internal_headers import (
    CallExplanation,
    LedgerFacts,
    encode_names,
    read_call_explanation,
    read_ledger_headers,
    write_call_headers,
    write_ledger_headers,
)
from tests.shape.sources import PACKAGES, list_sources

NAMES = [value for name, value in vars(internal_headers).items() if name.endswith("_HEADER")]
PERSON, OTHER = "a" * 64, "0" * 64
CODE = "H56.14-240823-0001"


def encode(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    ("subjects", "fields", "dossier", "facts"),
    [
        ([PERSON], ["name", "sex"], CODE, LedgerFacts((PERSON,), ("name", "sex"), CODE)),
        ([PERSON, None, OTHER], [], None, LedgerFacts((PERSON, OTHER), ("-",), None)),
        ([None], [], None, LedgerFacts((), ("-",), None)),
    ],
)
def test_facts_are_read_as_they_were_written(
    subjects: list[str | None], fields: list[str], dossier: str | None, facts: LedgerFacts
) -> None:
    assert read_ledger_headers(encode(write_ledger_headers(subjects, fields, dossier=dossier))) == (
        facts
    )


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-subject", b"079099000001")],
        [(b"x-subject", PERSON.encode() + b",-")],
        [(b"x-subject", PERSON.encode()), (b"x-fields", "tên".encode())],
    ],
)
def test_subject_that_is_no_keyed_hash_is_not_recorded(headers: list[tuple[bytes, bytes]]) -> None:
    assert read_ledger_headers(headers).subjects is None


@pytest.mark.parametrize("value", [b"", b"079099000001", "hồ sơ".encode()])
def test_dossier_that_is_no_code_is_not_recorded(value: bytes) -> None:
    assert read_ledger_headers([(b"x-dossier", value)]).dossier is None


@pytest.mark.parametrize(
    "explanation",
    [
        CallExplanation("1.001193", "officer-1", CODE),
        CallExplanation(None, None, None),
        CallExplanation("Nghị định 13", None, CODE),
    ],
)
def test_explanation_is_read_as_it_was_written(explanation: CallExplanation) -> None:
    written = write_call_headers("signed", explanation, client="h26-onestop", agency="H26")
    read = Headers(raw=written)
    assert read_call_explanation(read) == explanation
    assert (read["X-Right"], read["X-Client"], read["X-Agency"]) == ("signed", "h26-onestop", "H26")


def test_names_of_these_headers_are_written_in_one_module() -> None:
    names = {*NAMES, *map(str.lower, NAMES), *encode_names(*NAMES)}
    repeated = [
        f"{source.name}:{node.lineno} {node.value!r}"
        for source in list_sources(*PACKAGES)
        if source.name != "shared/web/calls/internal_headers.py"
        for node in ast.walk(ast.parse(source.text))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert repeated == []
