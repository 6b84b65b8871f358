"""Translate the texts of an OpenAPI document; names, examples and values stay as they are."""

from collections.abc import Callable
from typing import Any

from shared.texts.catalogues import translate_text
from shared.texts.languages import Language

_TEXTS = frozenset({"description", "summary"})
# The members of these objects are names that the API chooses.
_MAPS = frozenset(
    {
        "$defs",
        "content",
        "headers",
        "links",
        "parameters",
        "paths",
        "properties",
        "responses",
        "schemas",
        "securitySchemes",
    }
)
_DATA = frozenset({"const", "default", "enum", "example", "examples"})

TextChange = Callable[[str], str]


def translate_document(document: dict[str, Any], language: Language) -> dict[str, Any]:
    """Return the document with summaries and descriptions in the language."""
    translated: dict[str, Any] = map_texts(document, lambda text: translate_text(text, language))
    return translated


def map_texts(part: Any, change: TextChange) -> Any:
    """Return a part of the document in which `change` was applied to each text for persons."""
    match part:
        case dict():
            return {name: _map_member(name, member, change) for name, member in part.items()}
        case list():
            return [map_texts(item, change) for item in part]
        case _:
            return part


def _map_member(name: str, member: Any, change: TextChange) -> Any:
    if name in _DATA:
        return member
    if name in _MAPS and isinstance(member, dict):
        return {key: map_texts(inner, change) for key, inner in member.items()}
    if name in _TEXTS and isinstance(member, str):
        return change(member)
    return map_texts(member, change)
