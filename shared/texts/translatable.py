"""Texts for persons that are written in English and shown in the language of the reader."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Self


class Translatable(str):
    """An English text that keeps its template, by which catalogues find its translation.

    The placeholders of a template are the names of its values, in braces. A template without values
    is literal, so it may hold braces. A value that is translatable itself is translated too.
    `make texts` extracts the templates, so each stands as a literal in the code.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        return cls._make(template.format(**values) if values else template, template, values)

    @classmethod
    def of_library(
        cls,
        text: str,
        template: str | None = None,
        values: Mapping[str, object] = MappingProxyType({}),
    ) -> Self:
        """Return the text of a library or an API document, which the catalogues list too."""
        return cls._make(text, template or text, values)

    @classmethod
    def join_texts(cls, parts: Iterable[str], separator: str) -> Self:
        """Return the parts in a row; `separator` is the same in every language."""
        values = {f"part{number}": part for number, part in enumerate(parts)}
        return cls(separator.join(f"{{{name}}}" for name in values), **values)

    @classmethod
    def _make(cls, text: str, template: str, values: Mapping[str, object]) -> Self:
        made = super().__new__(cls, text)
        made.template, made.values = template, values
        return made
