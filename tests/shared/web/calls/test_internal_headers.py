"""The gateway reads the facts for the ledger as the services write them, and no others."""

import pytest

from shared.web.calls.internal_headers import LedgerFacts, read_ledger_headers, write_ledger_headers

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
