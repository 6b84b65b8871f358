from typing import Any

import pytest

from tests.contracts.comparing import breaks


def document(
    *, request: dict[str, Any] | None = None, answer: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Of one operation; both shapes are properties beside `code`, which is required of callers."""
    code = {"code": {"type": "string"}, "about": {"$ref": "#/components/schemas/About"}}

    def content(properties: dict[str, Any]) -> dict[str, Any]:
        required = [name for name, shape in properties.items() if "default" not in shape]
        shape = {"type": "object", "properties": code | properties, "required": required}
        return {"content": {"application/json": {"schema": shape}}}

    about = {"type": "object", "properties": {"name": {"type": "string"}}}
    post = {
        "parameters": [],
        "requestBody": content(request or {}),
        "responses": {"200": content(answer or {}), "404": {"description": "none"}},
    }
    return {"paths": {"/things": {"post": post}}, "components": {"schemas": {"About": about}}}


WITH_FEE = {"fee": {"type": "integer", "default": 0}}
LINES = {"lines": {"type": "array", "items": {"$ref": "#/components/schemas/About"}}}
NEW_OBJECT = {
    "note": {
        "default": None,
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
    }
}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "none": (document(), document(), []),
    "new field of the answer": (document(), document(answer=WITH_FEE), []),
    "new optional field of the request": (document(), document(request=WITH_FEE), []),
    "new optional object that requires a field": (document(), document(request=NEW_OBJECT), []),
    "new required field of the request": (
        document(),
        document(request={"fee": {"type": "integer"}}),
        ["POST /things: `body.fee` is newly required"],
    ),
    "default of the request taken away": (
        document(request=WITH_FEE),
        document(request={"fee": {"type": "integer"}}),
        ["POST /things: `body.fee` is newly required"],
    ),
    "field of the answer removed": (
        document(answer=WITH_FEE),
        document(),
        ["POST /things: `200.fee` was removed or renamed"],
    ),
    "field within a list of the answer removed": (
        document(answer=LINES),
        document(answer={"lines": {"type": "array", "items": {"type": "string"}}}),
        ["POST /things: `200.lines[].name` was removed or renamed"],
    ),
    "other type": (
        document(answer=WITH_FEE),
        document(answer={"fee": {"type": "string", "default": ""}}),
        ["POST /things: `200.fee` has another type"],
    ),
    "operation removed": (
        document(),
        {"paths": {}, "components": {"schemas": {}}},
        ["POST /things was removed"],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=CHANGES)
def test_comparison_finds_what_breaks_a_caller(
    old: dict[str, Any], new: dict[str, Any], expected: list[str]
) -> None:
    assert breaks(old, new) == expected


def test_newly_required_parameter_breaks_a_caller() -> None:
    old, new = document(), document()
    limit = {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer"}}
    new["paths"]["/things"]["post"]["parameters"] = [limit | {"required": True}]
    assert breaks(old, new) == ["POST /things: `query limit` is newly required"]
    old["paths"]["/things"]["post"]["parameters"] = [limit]
    assert breaks(old, new) == ["POST /things: `query limit` is newly required"]
    assert breaks(new, document()) == ["POST /things: `query limit` was removed or renamed"]
