"""Write a collection of Bruno: a folder of files, one for each request, in its language `.bru`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from textwrap import indent

from deploy.api_collections.requests import (
    NAME,
    SECRET,
    STORY,
    STORY_STATUSES,
    VARIABLES,
    WAITING,
    Parameter,
    Request,
    read_script,
    select_story,
)


def build_bruno_files(requests: Sequence[Request]) -> Mapping[str, str]:
    """Return the content of each file by its path in the collection."""
    settings = {"version": "1", "name": NAME, "type": "collection"}
    files = {
        "bruno.json": json.dumps(settings, ensure_ascii=False, indent=2) + "\n",
        "collection.bru": _join_blocks(
            _write_block("auth", ["mode: bearer"]),
            _write_block("auth:bearer", ["token: {{token}}"]),
            _write_text("script:pre-request", read_script("bruno_token")),
            _write_text("script:post-response", read_script("bruno_answer")),
        ),
        "environments/sandbox.bru": _write_environment(),
    }
    for number, request in enumerate(select_story(requests), 1):
        path = f"{STORY}/{number}-{request.operation_id}.bru"
        files[path] = _write_request(request, number, _write_checks(request))
    for number, request in enumerate(requests, 1):
        files[f"{request.folder}/{request.operation_id}.bru"] = _write_request(request, number)
    return files


def _write_environment() -> str:
    values = [f"{name}: {value}" for name, value in VARIABLES.items() if name != SECRET]
    return _join_blocks(_write_block("vars", values), f"vars:secret [\n  {SECRET}\n]")


def _write_request(request: Request, number: int, checks: Sequence[str] = ()) -> str:
    query = "&".join(f"{each.name}={each.value}" for each in request.query if each.sent)
    url = f"{{{{base_url}}}}{request.path}" + (f"?{query}" if query else "")
    kind = "json" if request.body else "formUrlEncoded" if request.form else "none"
    auth = "none" if request.public else "inherit"
    form = [Parameter(name, value) for name, value in (request.form or {}).items()]
    return _join_blocks(
        _write_block("meta", [f"name: {request.name}", "type: http", f"seq: {number}"]),
        _write_block(request.method, [f"url: {url}", f"body: {kind}", f"auth: {auth}"]),
        _write_parameters("params:query", request.query),
        _write_parameters("params:path", request.places),
        _write_parameters("headers", request.headers),
        _write_text("body:json", request.body),
        _write_parameters("body:form-urlencoded", form),
        *checks,
        _write_text("docs", request.description),
    )


def _write_checks(request: Request) -> Sequence[str]:
    if request.operation_id == WAITING:
        return [_write_text("script:post-response", read_script("bruno_wait"))]
    return [_write_block("assert", [f"res.status: eq {STORY_STATUSES[request.operation_id]}"])]


def _join_blocks(*blocks: str) -> str:
    return "\n\n".join(filter(None, blocks)) + "\n"


def _write_parameters(name: str, parameters: Iterable[Parameter]) -> str:
    lines = [f"{'' if each.sent else '~'}{each.name}: {each.value}" for each in parameters]
    return _write_block(name, lines)


def _write_block(name: str, lines: Sequence[str]) -> str:
    return _write_text(name, "\n".join(line.rstrip() for line in lines))


def _write_text(name: str, text: str | None) -> str:
    return f"{name} {{\n{indent(text, '  ')}\n}}" if text else ""
