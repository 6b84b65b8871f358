"""What follows an answer is told as OpenAPI links, and each of them leads somewhere."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from tests.contracts.comparing import operations
from tests.contracts.test_openapi import DOCUMENTS

Links = Mapping[str, Mapping[str, Any]]

ALL = {name: each for document in DOCUMENTS.values() for name, each in operations(document).items()}
NAMING = [name for name in ALL if "{" in name]
DOSSIER = "/dossier/v1/dossiers/{code}"
CLIENT = "/identity/v1/clients/{client_id}"


def target(link: Mapping[str, Any]) -> str:
    path, _, method = unquote(link["operationRef"]).removeprefix("#/paths/").rpartition("/")
    return f"{method.upper()} {path.replace('~1', '/')}"


def links(name: str) -> dict[str, Mapping[str, str]]:
    """After a success: to which operation, with which parameters."""
    answers = ALL[name]["responses"].items()
    found: list[Links] = [each.get("links", {}) for status, each in answers if status < "300"]
    return {target(link): link["parameters"] for every in found for link in every.values()}


def asked(name: str) -> Iterator[tuple[str, bool]]:
    yield from ((each["name"], each["required"]) for each in ALL[name].get("parameters", ()))


@pytest.mark.parametrize("name", ALL)
def test_link_leads_to_an_operation_and_gives_what_it_has_to_be_asked(name: str) -> None:
    for following, given in links(name).items():
        assert set(given) <= {each for each, _ in asked(following)}
        assert {each for each, required in asked(following) if required} - {"period"} <= set(given)


@pytest.mark.parametrize("name", NAMING)
def test_what_is_named_in_a_path_follows_from_an_answer(name: str) -> None:
    assert any(name in links(before) for before in ALL if before != name)


def test_change_follows_with_the_version_that_was_told() -> None:
    for before in (f"GET {DOSSIER}", f"POST {DOSSIER}/payments", f"POST {DOSSIER}/transitions"):
        given = {"code": "$request.path.code", "if-match": "$response.header.ETag"}
        assert links(before)[f"POST {DOSSIER}/transitions"] == given
    made = {"code": "$response.body#/code", "if-match": "$response.header.ETag"}
    assert links("POST /dossier/v1/dossiers")[f"POST {DOSSIER}/results"] == made
    listed = links("GET /dossier/v1/dossiers")
    assert listed[f"GET {DOSSIER}"] == {"code": "$response.body#/items/0/code"}
    assert f"POST {DOSSIER}/results" not in listed


def test_part_of_a_thing_follows_with_both_their_names() -> None:
    assert links(f"POST {CLIENT}/keys")[f"DELETE {CLIENT}/keys/{{kid}}"] == {
        "client_id": "$request.path.client_id",
        "kid": "$response.body#/kid",
    }
    assert f"POST {CLIENT}/deactivation" not in links(f"POST {CLIENT}/keys")
