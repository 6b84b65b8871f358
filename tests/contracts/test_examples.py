"""All bodies of requests and answers have examples, which fit what the document says of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from identity_service.sandbox.clients import read_sandbox_clients
from identity_service.sandbox.personas import read_personas
from tests.contracts.test_openapi import DESCRIBED, DOCUMENTS
from tests.contracts.test_openapi_names import MERGED

Media = Mapping[str, Any]
BODIES: Mapping[str, Media] = {
    f"{operation['operationId']} {media_type}": content
    for operation in DESCRIBED.values()
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
}
PERSONA = read_personas()["match"]


ANSWERS: Mapping[str, Media] = {
    f"{operation['operationId']} {status}": content
    for operation in DESCRIBED.values()
    for status, answer in operation["responses"].items()
    for content in answer.get("content", {}).values()
    if status.startswith("2")
}
PLACES = {
    f"{operation['operationId']} {parameter['name']}": parameter
    for operation in DESCRIBED.values()
    for parameter in operation.get("parameters", ())
    if parameter["in"] == "path"
}


@pytest.mark.parametrize(
    "part",
    [*BODIES.values(), *ANSWERS.values(), *PLACES.values()],
    ids=[*BODIES, *ANSWERS, *PLACES],
)
def test_body_and_path_have_an_example(part: Media) -> None:
    assert "example" in part


@pytest.mark.parametrize("content", [*BODIES.values(), *ANSWERS.values()], ids=[*BODIES, *ANSWERS])
def test_example_fits_its_schema(content: Media) -> None:
    schema = {**content["schema"], "components": MERGED["components"]}
    Draft202012Validator(schema).validate(content["example"])


def test_examples_name_people_and_clients_of_the_sandbox() -> None:
    person = BODIES["verify_person application/json"]["example"]
    assert person == {
        "personal_number": PERSONA.personal_number,
        "full_name": PERSONA.full_name,
        "birth_date": PERSONA.birth_date,
    }
    applicant = BODIES["file_dossier application/json"]["example"]["applicant"]
    assert (applicant["name"], applicant["personal_number"]) == (
        PERSONA.full_name,
        PERSONA.personal_number,
    )
    token = BODIES["issue_oauth_token application/x-www-form-urlencoded"]["example"]
    assert token["client_id"] in read_sandbox_clients()


def test_gateway_publishes_the_examples_of_the_services() -> None:
    assert str(MERGED["paths"]).count("'example'") > str(list(DOCUMENTS.values())).count(
        "'example'"
    )
