"""Add the examples of a service to its OpenAPI document: requests to a sandbox, and answers."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from shared.web.openapi.links import Described


class OperationExample(BaseModel):
    """The parameters and the body of a request, and the bodies of its answers by their status.

    `parameters` are those of the path and the query.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: Mapping[str, JsonValue] = {}
    request: JsonValue = None
    responses: Mapping[int, JsonValue] = {}


_FILE = TypeAdapter(dict[str, OperationExample])


def read_examples(path: Path, service: str) -> Mapping[str, OperationExample]:
    """Return the examples by operation id, in which `${service}` stands for the service.

    Raise pydantic.ValidationError for a malformed file.
    """
    text = Template(path.read_text(encoding="utf-8")).substitute(service=service)
    return _FILE.validate_python(yaml.safe_load(text))


def add_examples(document: Described, examples: Mapping[str, OperationExample]) -> Described:
    """Return the document with the examples; raise KeyError for one that has no place in it."""
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    for name, example in examples.items():
        _add_to_operation(operations[name], example)
    return document


def _add_to_operation(operation: Described, example: OperationExample) -> None:
    parameters = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
    for name, value in example.parameters.items():
        parameters[name]["example"] = value
    if example.request is not None:
        for content in operation["requestBody"]["content"].values():
            content["example"] = example.request
    for status, body in example.responses.items():
        operation["responses"][str(status)]["content"]["application/json"]["example"] = body
