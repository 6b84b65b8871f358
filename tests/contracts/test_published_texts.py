"""Each operation is explained to those who call it, and published texts follow the wording rule."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.schemas import FOLDER, openapi
from deploy.services import SERVICES
from gateway.api_docs.openapi import merge_api_documents
from gateway.api_docs.problem_types import FILE as PROBLEM_TYPES
from gateway.operations.model import Service
from gateway.operations.table import OPERATIONS
from tests.contracts.comparing import operations
from tests.shape.wording import is_fragment, is_headless

# The members that people read; titles of schemas are made of the names of fields.
TEXTS = {
    **dict.fromkeys(sorted(FOLDER.rglob("*.json")), ("summary", "description")),
    PROBLEM_TYPES: ("title", "meaning", "advice"),
}
DOCUMENTS = {Service(service.short): dict(openapi(name)) for name, service in SERVICES.items()}
DESCRIBED = {
    (service.value, name): operation
    for service, document in DOCUMENTS.items()
    for name, operation in operations(document).items()
}
MAX_SUMMARY_CHARACTERS = 60


def list_texts(part: Any, names: Collection[str]) -> Iterator[str]:
    """Yield the texts of the members with these names; a member may hold several."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            texts = value if isinstance(value, list) else [value]
            yield from (text for text in texts if name in names and isinstance(text, str))
            yield from list_texts(value, names)
    elif isinstance(part, list):
        for value in part:
            yield from list_texts(value, names)


@pytest.mark.parametrize("operation", DESCRIBED.values(), ids=map(str, DESCRIBED))
def test_operation_has_a_summary_and_a_description_in_sentences(operation: Any) -> None:
    summary, description = operation["summary"], operation["description"]
    assert summary != operation["operationId"].replace("_", " ").title()
    assert len(summary) <= MAX_SUMMARY_CHARACTERS
    assert not summary.endswith(".")
    assert description.endswith(".")
    assert not description.startswith(summary)


@pytest.mark.parametrize("service", DOCUMENTS)
def test_summary_names_one_operation_of_a_service(service: Service) -> None:
    summaries = [each["summary"] for each in operations(DOCUMENTS[service]).values()]
    assert len(summaries) == len(set(summaries))


def test_merged_document_names_the_right_to_each_operation() -> None:
    merged = operations(merge_api_documents(DOCUMENTS))
    for name, operation in OPERATIONS.items():
        right = "No token is needed." if operation.public else f"a right to `{name}`, given by "
        assert right in merged[operation.name]["description"]


@pytest.mark.parametrize(
    ("path", "names"), TEXTS.items(), ids=lambda each: getattr(each, "name", "")
)
def test_published_texts_name_their_subject(path: Path, names: Collection[str]) -> None:
    texts = set(list_texts(json.loads(path.read_text(encoding="utf-8")), names))
    assert sorted(filter(is_headless, texts)) == []
    assert sorted(filter(is_fragment, texts)) == []
