"""Add the examples of a service to its OpenAPI document: requests to a sandbox, and answers."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from shared.web.openapi.links import Described


class OperationExample(BaseModel):
    """The body of a request, and the body of the answer to it by its status."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: JsonValue = None
    responses: Mapping[int, JsonValue] = {}


_FILE = TypeAdapter(dict[str, OperationExample])


def read_examples(path: Path) -> Mapping[str, OperationExample]:
    """Return the examples by operation id; raise pydantic.ValidationError for a malformed file."""
    return _FILE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))


def add_examples(document: Described, examples: Mapping[str, OperationExample]) -> Described:
    """Return the document with the examples; raise KeyError for one that has no place in it."""
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    for name, example in examples.items():
        operation = operations[name]
        if example.request is not None:
            for content in operation["requestBody"]["content"].values():
                content["example"] = example.request
        for status, body in example.responses.items():
            operation["responses"][str(status)]["content"]["application/json"]["example"] = body
    return document
