"""Each body of a request has an example, and each example fits what the document says of it."""

from collections.abc import Iterator, Mapping
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


def list_answers() -> Iterator[tuple[str, Media]]:
    for operation in DESCRIBED.values():
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                if "example" in content:
                    yield f"{operation['operationId']} {status}", content


ANSWERS = dict(list_answers())


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_body_of_a_request_has_an_example(content: Media) -> None:
    assert "example" in content


def test_each_request_has_an_example_of_its_answer() -> None:
    answered = {name.partition(" ")[0] for name in ANSWERS}
    assert {name.partition(" ")[0] for name in BODIES} <= answered


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
