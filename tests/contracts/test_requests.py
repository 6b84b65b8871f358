"""Requests: the documents and the services take the same values."""

import string
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from jwt.utils import base64url_encode
from pydantic import BaseModel, TypeAdapter, ValidationError

from deploy.schemas import openapi
from dossier_service.dossiers.schemas.requests import ApplicantIn
from gateway.operations.table import OPERATIONS
from identity_service.clients.jwk import DUMMY_KEYS, EXAMPLE, KeyTooWeakError, check_public_jwk
from identity_service.clients.problems import ClientNotProven
from identity_service.grants.schemas import GrantIn
from identity_service.tokens.problems import TokenRequestMalformed
from identity_service.tokens.routes import FORM_SCHEMA, JWT_BEARER, _read_proof
from shared.codes.dossier import DossierCode, parse_dossier_code
from shared.codes.enums import DossierStatus
from shared.codes.persons.texts import multi_line, single_line
from sync_service.indicators.periods import PATTERN, parse_period
from sync_service.indicators.problems import PeriodUnreadable
from sync_service.intake.schemas import DossierRow
from tests.access import bodies


def described(kind: Any) -> Draft202012Validator:
    return validator(TypeAdapter(kind).json_schema())


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    r"""Return what validates as ECMA-262 has it: in Python `$` also stands before a last `\n`."""
    return Draft202012Validator(orjson.loads(orjson.dumps(schema).replace(b'$"', rb'\\Z"')))


def is_taken(model: type[BaseModel], value: Mapping[str, Any]) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


def combined(
    good: Mapping[str, Any], members: Mapping[str, tuple[Any, ...]]
) -> Iterator[dict[str, Any]]:
    """Yield `good` with each combination of the values of `members`."""
    for values in product(*members.values()):
        yield {**good, **dict(zip(members, values, strict=True))}


APPLICANTS = combined(
    {"name": "Trần Thị Bình"},
    {
        "kind": (1, 2, 3, 4, 0, 5),
        "personal_number": (None, "001191000002"),
        "organisation_number": (None, "0100000001"),
        "birth_date": (None, "1991", "2023-02-29"),
    },
)
ROWS = combined(
    bodies.row("H26"),
    {
        "status": tuple(map(int, DossierStatus)),
        "received_at": (None, "2026-11-02T09:00:00+07:00"),
        "finished_at": (None, "2026-11-03T09:00:00+07:00"),
    },
)


@pytest.mark.parametrize(
    ("model", "values"), [(ApplicantIn, APPLICANTS), (DossierRow, ROWS)], ids=["applicant", "row"]
)
def test_members_that_go_together_are_those_of_the_document(
    model: type[BaseModel], values: Iterator[dict[str, Any]]
) -> None:
    schema = described(model)
    told = [(schema.is_valid(value), is_taken(model, value), value) for value in values]
    assert [value for fits, taken, value in told if fits != taken] == []
    assert {fits for fits, _, _ in told} == {True, False}


BLANKS = [" ", "\t", "\n", "\u00a0", "\u2003", "\u2028", "\u3000", "\u0085", "\u200b"]
TEXTS = ["".join(signs) for n in range(6) for signs in product([" ", "a", "\n"], repeat=n)] + [
    blank + text + other
    for blank, other in product(BLANKS, BLANKS)
    for text in ("", "a", "a b", "abcde")
]


@pytest.mark.parametrize(
    "constraint",
    [single_line(50), single_line(50, min_length=2), single_line(50, min_length=5), multi_line(50)],
    ids=["line", "line of two", "line of five", "text"],
)
def test_text_that_fits_its_document_is_taken_and_what_is_kept_fits_it(constraint: Any) -> None:
    """Blanks at the ends are taken off, so a text of blanks alone has no length."""
    text_type = Annotated[str, constraint]
    adapter, schema = TypeAdapter[str](text_type), described(text_type)
    kept = {text: _kept(adapter, text) for text in TEXTS}
    assert [text for text in TEXTS if schema.is_valid(text) != (kept[text] is not None)] == []
    assert [text for text in kept.values() if text is not None and not schema.is_valid(text)] == []
    assert None in kept.values()


def _kept(adapter: TypeAdapter[str], text: str) -> str | None:
    try:
        return adapter.validate_python(text)
    except ValidationError:
        return None


SIGNS = string.ascii_letters + string.digits + "-_"


def _keys() -> Iterator[dict[str, Any]]:
    good = [EXAMPLE, *({**key, "kid": "signing-1"} for key in DUMMY_KEYS.values())]
    for key in good:
        yield key
        yield {name: part for name, part in key.items() if name not in {"alg", "kid"}}
        yield key | {"use": "sig", "key_ops": ["verify"], "x5c": None}
        for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k"):
            yield key | {name: "AQAB"}
        for name in key:
            yield {other: part for other, part in key.items() if other != name}
            for part in ("", "=", "AQA", "x" * 1_000, 7, None, "EC", "P-256", "P-384", "RS256"):
                yield key | {name: part}
        for name in {"x", "y", "n", "e"} & key.keys():
            yield from (key | {name: key[name][:-1] + sign} for sign in SIGNS)
            yield key | {name: key[name] + "="}
            yield key | {name: key[name] + "AA"}
            yield key | {name: base64url_encode(b"\xff" * 513).decode()}


def test_key_that_fits_its_document_is_taken_unless_it_proves_nothing() -> None:
    schema = validator(openapi("identity_service")["components"]["schemas"]["PublicJwk"])
    wrong = []
    for key in _keys():
        try:
            check_public_jwk(key)
            is_kept, is_weak = True, False
        except KeyTooWeakError as error:
            is_kept, is_weak = False, "do not make a key" in str(error)
        except ValueError:
            is_kept, is_weak = False, False
        if schema.is_valid(key) != is_kept and not (schema.is_valid(key) and is_weak):
            wrong.append(key)
    assert wrong == []


FORMS = combined(
    {"grant_type": "client_credentials"},
    {
        "client_id": (None, "onestop-h26"),
        "client_secret": (None, "s"),
        "client_assertion": (None, "a.b.c"),
        "client_assertion_type": (None, JWT_BEARER, "password"),
    },
)


def test_form_has_one_of_the_described_proofs() -> None:
    content = FORM_SCHEMA["requestBody"]["content"]
    (described_form,) = (each["schema"] for each in content.values())
    schema = validator(described_form)
    wrong = []
    for form in ({name: each for name, each in form.items() if each} for form in FORMS):
        named = {"client_secret", "client_assertion", "client_assertion_type"} & form.keys()
        try:
            _read_proof(form, None if named else "Basic YTpi")
            is_read = True
        except (TokenRequestMalformed, ClientNotProven):
            # A client that is named twice: no document can hold a header against a form.
            is_read = not named
        if schema.is_valid(form) != is_read:
            wrong.append(form)
    assert wrong == []


PERIODS = [
    *("2026", "1850", "2199", "1849", "2200", "0000", "9999", "2026-01", "2026-12", "2026-13"),
    *(
        "2026-00",
        "2026-Q1",
        "2026-Q4",
        "2026-Q0",
        "2026-Q5",
        "2026-1",
        "November",
        "",
        "2026-11-03",
    ),
    *("2026-11-03..2026-11-20", "2026-11-03,2026-11-20", "2026-11-03.2026-11-20", "20261103..2026"),
    *("2026-02-30..2026-03-01", "2024-02-29..2024-02-29", "2023-02-29..2023-03-01"),
    *("1849-12-31..1850-01-01", "2199-12-31..2200-01-01", "2026-W01-1..2026-W02-1", "2026\n"),
]


@pytest.mark.parametrize("text", PERIODS)
def test_period_that_fits_its_document_is_read(text: str) -> None:
    fits = validator({"type": "string", "pattern": PATTERN})
    try:
        parse_period(text)
        is_read = True
    except PeriodUnreadable:
        is_read = False
    assert fits.is_valid(text) == is_read


def test_day_of_a_dossier_code_is_one_of_the_calendar_in_the_document_too() -> None:
    schema = described(DossierCode)
    wrong = []
    for century, year, month, day in product(("", "20", "19"), range(100), range(14), range(33)):
        code = f"H26-{century}{year:02}{month:02}{day:02}-0001"
        try:
            parse_dossier_code(code)
            is_read = True
        except ValueError:
            is_read = False
        if schema.is_valid(code) != is_read:
            wrong.append(code)
    assert wrong == []


def test_longest_grant_is_no_larger_than_its_body_may_be() -> None:
    # No neighbouring groups have the twelve digits of a person together.
    agency = "H26" + ".123.123.123.12" * 2
    grant = {
        "client_id": "a" * 64,
        "operations": ["GET /sync/v1/dossiers/{code}/timeline"] * 100,
        "procedures": [f"1.000001.{agency}"] * 5_000,
        "fields": ["a" * 50] * 100,
        "agencies": [agency] * 1_000,
        "legal_basis": "Điều 1, " * 60 + "NĐ 118/2025/NĐ-CP",
        "valid_from": "2026-11-02T09:00:00.000000000+07:00",
        "valid_to": "2026-11-02T09:00:00.000000000+07:00",
        "per_second": 1_000_000,
        "per_day": 2_000_000_000,
    }
    GrantIn.model_validate(grant)
    assert len(orjson.dumps(grant)) <= OPERATIONS["POST /identity/v1/grants"].body_limit
