"""Read the requests of a collection out of the merged API description."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.schemas import openapi
from deploy.services import SERVICES
from gateway.api_docs.openapi import merge_api_documents
from gateway.operations.model import Service

NAME = "Liên Thông"
STORY = "Happy path"
# The operations of the story in their order, with the status of each answer. The last one waits.
STORY_STATUSES: Mapping[str, int] = {
    "issue_oauth_token": 200,
    "verify_person": 200,
    "file_dossier": 201,
    "move_dossier": 200,
    "read_national_dossier": 200,
}
WAITING = "read_national_dossier"
VARIABLES: Mapping[str, str] = {
    "base_url": "http://127.0.0.1:8000",
    "client_id": "onestop-h26",
    "client_secret": "",
    "purpose": "2.000815",
    "officer": "officer-17",
    "dossier_code": "H26.101-261102-0001",
    "etag": '"1"',
}
SECRET = "client_secret"  # noqa: S105 -- the name of a variable
_HEADERS: Mapping[str, str] = {
    "x-purpose": "{{purpose}}",
    "x-officer": "{{officer}}",
    "if-match": "{{etag}}",
    "idempotency-key": "{{$guid}}",
}
_FORM = {"client_id": "{{client_id}}", SECRET: "{{client_secret}}"}
_SCRIPTS = Path(__file__).with_name("scripts")

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A value of a request; one that is not `sent` stands there to be filled in."""

    name: str
    value: str
    sent: bool = True


@dataclass(frozen=True)
class Request:
    """A request; its `path` has the form `/agencies/:code`."""

    operation_id: str
    name: str
    folder: str
    method: str
    path: str
    places: Sequence[Parameter]
    query: Sequence[Parameter]
    headers: Sequence[Parameter]
    body: str | None
    form: Mapping[str, str] | None
    public: bool
    description: str


def read_script(name: str) -> str:
    return (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8").rstrip()


def read_requests() -> Sequence[Request]:
    """Return the requests of all operations, by folder and path."""
    parts = {Service(service.short): dict(openapi(name)) for name, service in SERVICES.items()}
    document = merge_api_documents(parts)
    requests = [
        _read_request(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(requests, key=lambda request: (request.folder, request.path, request.method))


def select_story(requests: Sequence[Request]) -> Sequence[Request]:
    known = {request.operation_id: request for request in requests}
    return [known[name] for name in STORY_STATUSES]


def _read_request(method: str, path: str, operation: Document) -> Request:
    content = operation.get("requestBody", {}).get("content", {})
    json_body = content.get("application/json")
    form = content.get("application/x-www-form-urlencoded")
    name = operation["summary"]
    service = path.split("/")[1]
    return Request(
        operation_id=operation["operationId"],
        name=f"{name} ({service})" if path.count("dead-letters") else name,
        folder=operation["tags"][0],
        method=method,
        path=path.replace("{", ":").replace("}", ""),
        places=list(_read_places(path, operation)),
        query=[_read_query(each) for each in _select_parameters(operation, "query")],
        headers=[_read_header(each) for each in _select_parameters(operation, "header")],
        body=json.dumps(json_body["example"], ensure_ascii=False, indent=2) if json_body else None,
        form=form["example"] | _FORM if form else None,
        public=not operation["security"],
        description=operation["description"],
    )


def _select_parameters(operation: Document, kind: str) -> Iterator[Document]:
    return (each for each in operation.get("parameters", ()) if each["in"] == kind)


def _read_places(path: str, operation: Document) -> Iterator[Parameter]:
    for parameter in _select_parameters(operation, "path"):
        is_dossier = "/dossiers/{code}" in path
        value = "{{dossier_code}}" if is_dossier else str(parameter["example"])
        yield Parameter(parameter["name"], value)


def _read_query(parameter: Document) -> Parameter:
    value = parameter.get("example")
    return Parameter(parameter["name"], "" if value is None else str(value), sent=value is not None)


def _read_header(parameter: Document) -> Parameter:
    value = _HEADERS.get(parameter["name"].lower())
    return Parameter(parameter["name"], value or "", sent=value is not None)
