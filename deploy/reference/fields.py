"""The page of all bodies of requests and answers, with the terms of the glossary."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from re import findall
from typing import Any

from deploy.reference.description import read_description
from deploy.reference.markdown import Page, Part, quote_codes
from deploy.reference.texts import Texts

GLOSSARY = Path(__file__).parents[2] / "docs/vi/reference/glossary.md"
_VIETNAMESE, _CODES, _ENGLISH = 0, 1, 3
_CELLS = 5
_MAX_VALUES = 8
# These mean another thing in another body.
_AMBIGUOUS = {
    "code",
    "kind",
    "reason",
    "result",
    "results",
    "status",
    "subjects",
    "unit",
    "version",
}
Schema = Mapping[str, Any]


def build_fields_page(texts: Texts) -> Page:
    schemas: Mapping[str, Schema] = read_description()["components"]["schemas"]
    parts = [
        _describe_schema(name, schema, texts)
        for name, schema in sorted(schemas.items())
        if schema.get("properties")
    ]
    text = texts.say(
        "Every body of a request or answer with its fields. `optional` fields may be left out of a"
        " request. The terms are those of the [glossary](glossary.md); `/openapi.json` has all"
        " bounds and patterns."
    )
    return Page(texts.say("All fields"), text, parts)


def _describe_schema(name: str, schema: Schema, texts: Texts) -> Part:
    required = set(schema.get("required", ()))
    column = _VIETNAMESE if texts.language == "vi" else _ENGLISH
    rows = [
        [
            f"`{member}`",
            _name_form(described),
            "" if member in required else texts.say("optional"),
            _read_terms()[member][column] if member in _read_terms() else "",
        ]
        for member, described in schema["properties"].items()
    ]
    head = [texts.say(word) for word in ("field", "form", "need", "term")]
    return Part(name, f"`{name}`", "", head, rows)


def _name_form(schema: Schema) -> str:
    """Return the JSON type with its format, its values or its reference."""
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices:
        return " / ".join(dict.fromkeys(map(_name_form, choices)))
    if reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        return f"[`{name}`](#{name})" if _has_members(name) else f"`{name}`"
    if values := schema.get("enum"):
        return quote_codes(values) if len(values) <= _MAX_VALUES else f"`{schema['type']}`"
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"[ {_name_form(schema.get('items', {}))} ]"
    return f"`{schema.get('format') or schema.get('type') or 'any'}`"


def _has_members(name: str) -> bool:
    return bool(read_description()["components"]["schemas"][name].get("properties"))


@cache
def _read_terms() -> Mapping[str, tuple[str, ...]]:
    """Return the rows of the glossary by the names of members that they alone explain."""
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    terms = [row for row in rows if len(row) == _CELLS]
    # A row of one code says more of it than a row of several.
    terms.sort(key=lambda row: row[_CODES].count("`"), reverse=True)
    found = {code: row for row in terms for code in findall("`([^`]+)`", row[_CODES])}
    return {code: row for code, row in found.items() if code not in _AMBIGUOUS}
