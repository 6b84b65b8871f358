"""Write a collection of Postman, in version 2.1 of its format."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from deploy.api_collections.requests import (
    NAME,
    STORY,
    STORY_STATUSES,
    VARIABLES,
    WAITING,
    Parameter,
    Request,
    read_script,
    select_story,
)

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
Document = dict[str, Any]


def build_postman_collection(requests: Sequence[Request]) -> Document:
    """Return the collection; the requests are in the order of their folders."""
    story = [_write_item(request, _write_check(request)) for request in select_story(requests)]
    folders = [
        {"name": folder, "item": [_write_item(request) for request in members]}
        for folder, members in groupby(requests, key=lambda request: request.folder)
    ]
    return {
        "info": {"name": NAME, "schema": _SCHEMA},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
        "event": [
            _write_event("prerequest", read_script("postman_token")),
            _write_event("test", read_script("postman_answer")),
        ],
        "variable": [{"key": name, "value": value} for name, value in VARIABLES.items()],
        "item": [{"name": STORY, "item": story}, *folders],
    }


def _write_event(moment: str, script: str) -> Document:
    return {"listen": moment, "script": {"type": "text/javascript", "exec": script.split("\n")}}


def _write_check(request: Request) -> Sequence[Document]:
    if request.operation_id == WAITING:
        return [_write_event("test", read_script("postman_wait"))]
    status = STORY_STATUSES[request.operation_id]
    check = f'pm.test("status {status}", () => pm.response.to.have.status({status}));'
    return [_write_event("test", check)]


def _write_item(request: Request, events: Sequence[Document] = ()) -> Document:
    content: Document = {
        "method": request.method.upper(),
        "description": request.description,
        "header": _write_parameters(request.headers),
        "url": _write_url(request),
    }
    if request.public:
        content["auth"] = {"type": "noauth"}
    if request.body:
        options = {"raw": {"language": "json"}}
        content["body"] = {"mode": "raw", "raw": request.body, "options": options}
    if request.form:
        form = [Parameter(name, value) for name, value in request.form.items()]
        content["body"] = {"mode": "urlencoded", "urlencoded": _write_parameters(form)}
    item: Document = {"name": request.name, "request": content}
    return item | {"event": list(events)} if events else item


def _write_url(request: Request) -> Document:
    query = "&".join(f"{each.name}={each.value}" for each in request.query if each.sent)
    url: Document = {
        "raw": f"{{{{base_url}}}}{request.path}" + (f"?{query}" if query else ""),
        "host": ["{{base_url}}"],
        "path": request.path.strip("/").split("/"),
    }
    if request.query:
        url["query"] = _write_parameters(request.query)
    if request.places:
        url["variable"] = _write_parameters(request.places)
    return url


def _write_parameters(parameters: Iterable[Parameter]) -> list[Document]:
    return [
        {"key": each.name, "value": each.value} | ({} if each.sent else {"disabled": True})
        for each in parameters
    ]
