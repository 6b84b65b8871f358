"""Choose the language of an answer by Accept-Language (RFC 9110 §12.5.4)."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from babel.core import negotiate_locale

_HEADER = b"accept-language"
# A browser sends about 100; the reading of a long list takes the time of other calls.
MAX_CHARACTERS = 1_000
_WEIGHT = re.compile(r"[01](?:\.[0-9]{0,3})?")


class Language(StrEnum):
    """The languages of texts for persons, by their tags (RFC 5646); the first is the default."""

    ENGLISH = "en"
    VIETNAMESE = "vi"


DEFAULT: Final = Language.ENGLISH


def read_language(scope: Mapping[str, Any]) -> Language:
    """Return the language that the request of an ASGI scope prefers; a long list prefers none."""
    lines = b",".join([value for name, value in scope["headers"] if name == _HEADER])
    if not lines or len(lines) > MAX_CHARACTERS:
        return DEFAULT
    return choose_language(lines.decode("latin-1"))


def choose_language(accepted: str) -> Language:
    """Return the language that the header's value gives the greatest weight above 0.

    Of two with one weight the one that is named first is chosen, and the default where the header
    accepts neither.
    """
    weights = dict(map(read_weighted_range, accepted.lower().split(",")))
    ranges = sorted((tag for tag in weights if weights[tag]), key=lambda tag: -weights[tag])
    tags = [tag for name in ranges for tag in _list_tags(name, weights)]
    chosen = negotiate_locale(tags, list(Language), sep="-")
    return Language(chosen) if chosen else DEFAULT


def _list_tags(named_range: str, named: Iterable[str]) -> list[str]:
    """Return the tags of a range; `*` matches each language that no other range names."""
    if named_range != "*":
        return [named_range]
    primary = {tag.partition("-")[0] for tag in named}
    return [language for language in Language if language not in primary]


def read_weighted_range(element: str) -> tuple[str, float]:
    """Return range and weight of an element of an Accept header; a malformed weight is 0."""
    name, *parameters = (part.strip() for part in element.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            return name, float(value) if _WEIGHT.fullmatch(value) else 0.0
    return name, 1.0
