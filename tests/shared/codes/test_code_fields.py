"""No text of a request holds a person's number, but those that are meant to hold it."""

from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.web.bodies.strict_parsing import StrictModel

for module in (
    "dossier_service.dossiers.schemas.requests",
    "gateway.ledger.schemas",
    "identity_service.main",
    "sync_service.intake.schemas",
):
    import_module(module)

PLANTED = "001090000001"
SPELLINGS = (
    PLANTED,
    f"CCCD-{PLANTED}",
    f"cccd-{PLANTED}",
    f"x{PLANTED}",
    "001.090.000.001",
    "001-090-000-001",
    "001/090/000/001",
    f"12-{PLANTED}",
)
MEANT = {
    # Shown only by a right to the field.
    *(f"ApplicantIn.{name}" for name in ("name", "personal_number", "phone", "address")),
    "ApplicantIn.organisation_number",
    "DocumentIn.name",
    "FileDossier.summary",
    "IssueResult.number",
    "IssueResult.title",
    "MoveDossier.note",
    "NoteProgress.note",
    # Compared, and not kept.
    "FileDossier.term_case",
    "MoveDossier.term_case",
    "PayFee.fee",
    "VerificationIn.full_name",
    "VerificationIn.personal_number",
    # Not kept, or validated row by row.
    "DossierRow.title",
    "DossierPush.rows",
    "ProgressPush.rows",
}


def _bodies(base: type[BaseModel] = StrictModel) -> Iterator[type[BaseModel]]:
    for body in base.__subclasses__():
        if body.__module__.split(".")[0].endswith("_service"):
            yield body
        yield from _bodies(body)


def _fields() -> list[Any]:
    return [
        pytest.param(body, name, id=f"{body.__name__}.{name}")
        for body in sorted(set(_bodies()), key=lambda each: each.__name__)
        for name in body.model_fields
    ]


def _takes(body: type[BaseModel], name: str, value: object) -> bool:
    field = body.model_fields[name]
    kind: Any = field.annotation
    for rule in field.metadata:
        kind = Annotated[kind, rule]
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("body", "name"), _fields())
def test_field_that_is_a_code_holds_no_personal_number(body: type[BaseModel], name: str) -> None:
    taken = [each for each in SPELLINGS if _takes(body, name, each) or _takes(body, name, [each])]
    assert bool(taken) is (f"{body.__name__}.{name}" in MEANT)


def test_fields_of_all_services_are_tried() -> None:
    tried = {each.id for each in _fields()}
    assert {"PayFee.reference", "ProgressRow.step", "VerificationIn.personal_number"} <= tried
