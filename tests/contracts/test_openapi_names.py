"""Generated code takes its names from the documents: they are words, and each means one thing."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.api_docs.openapi import merge_api_documents
from gateway.operations.model import Service
from gateway.operations.table import OPERATIONS
from tests.contracts.comparing import operations
from tests.contracts.test_openapi import DESCRIBED, DOCUMENTS

VERB_AND_NOUN = re.compile("[a-z]+(_[a-z]+)+")
CLASS_NAME = re.compile("[A-Z][A-Za-z]*")
CONSTANT = re.compile("[A-Z][A-Z0-9_]*")
MERGED = merge_api_documents({service: dict(DOCUMENTS[service.value]) for service in Service})
WHOLE = {**DOCUMENTS, "merged": MERGED}
HEADERS: Mapping[str, Mapping[str, set[str]]] = {
    "GET /dossier/v1/dossiers/{code}": {"200": {"ETag"}},
    "GET /sync/v1/dossiers/{code}": {"200": set()},
    "GET /.well-known/jwks.json": {"200": {"ETag"}},
    "POST /dossier/v1/dossiers": {"201": {"ETag", "Location", "Idempotent-Replayed"}},
    "POST /dossier/v1/dossiers/{code}/payments": {"201": {"ETag", "Idempotent-Replayed"}},
    "POST /identity/v1/clients/{client_id}/keys": {
        "201": {"Idempotent-Replayed"},
        "202": {"Idempotent-Replayed"},
    },
    "POST /identity/v1/grants": {
        "201": {"ETag", "Location", "Idempotent-Replayed"},
        "429": {
            "Retry-After",
            "RateLimit-Limit",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "RateLimit-Policy",
        },
        "503": {"Retry-After"},
    },
}


def test_operation_id_is_a_verb_and_its_noun_and_names_one_operation() -> None:
    ids = [operation["operationId"] for operation in DESCRIBED.values()]
    assert [name for name in ids if not VERB_AND_NOUN.fullmatch(name)] == []
    assert [name for name, count in Counter(ids).items() if count > 1] == []


def test_gateway_publishes_an_operation_under_the_id_of_its_service() -> None:
    published = {name: operation["operationId"] for name, operation in operations(MERGED).items()}
    named = {name: operation["operationId"] for (_, name), operation in DESCRIBED.items()}
    assert published == {name: named[name] for name in OPERATIONS}


def test_name_of_a_schema_is_one_word_and_means_one_thing_in_all_services() -> None:
    schemas = defaultdict(list)
    for document in DOCUMENTS.values():
        for name, schema in document["components"]["schemas"].items():
            schemas[name].append(schema)
    assert [name for name in schemas if not CLASS_NAME.fullmatch(name)] == []
    assert [name for name, copies in schemas.items() if copies != copies[:1] * len(copies)] == []
    assert set(MERGED["components"]["schemas"]) == set(schemas)


def test_title_of_a_schema_is_its_name() -> None:
    titles = {
        name: schema.get("title", name) for name, schema in MERGED["components"]["schemas"].items()
    }
    assert titles == {name: name for name in titles}


def list_enums(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that name a type of values, not those of a condition."""
    if isinstance(part, Mapping) and isinstance(part.get("enum"), list) and "type" in part:
        yield part
    parts = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    for inner in parts:
        yield from list_enums(inner)


@pytest.mark.parametrize("document", WHOLE.values(), ids=WHOLE)
def test_values_that_are_no_words_are_published_with_their_names(
    document: Mapping[str, Any],
) -> None:
    for schema in list_enums(document):
        words = schema.get("x-enum-varnames", schema["enum"])
        assert len(words) == len(set(words)) == len(schema["enum"])
        names = [str(word).upper().replace("-", "_") for word in words]
        assert [name for name in names if not CONSTANT.fullmatch(name)] == []
        assert schema.get("x-enumNames") == schema.get("x-enum-varnames")


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_a_caller_reads_are_described(name: str) -> None:
    (responses,) = (
        operation["responses"]
        for (_, described), operation in DESCRIBED.items()
        if described == name
    )
    headers = {status: set(responses[status].get("headers", {})) for status in HEADERS[name]}
    assert headers == HEADERS[name]


@pytest.mark.parametrize("document", WHOLE.values(), ids=WHOLE)
def test_every_success_has_a_type(document: Mapping[str, Any]) -> None:
    """A generated method returns an object with members, not a mapping of anything."""
    for operation in operations(document).values():
        for status, answer in operation["responses"].items():
            if status < "300" and status != "204":
                schema = answer["content"]["application/json"]["schema"]
                named = schema.get("items", schema) if schema.get("type") == "array" else schema
                assert named.keys() == {"$ref"}
