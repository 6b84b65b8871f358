"""Translate texts for persons by the catalogues in `shared/locales`.

A catalogue is a gettext file that Babel reads at the start of a process: nothing is compiled. A
text without a translation stays English; a test finds it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel.messages.pofile import read_po

from shared.texts.languages import DEFAULT, Language
from shared.texts.translatable import Translatable

FOLDER: Final = Path(__file__).parents[1] / "locales"
PROBLEMS, OPENAPI = "problems", "openapi"


def find_catalogue_file(language: Language, domain: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"{domain}.po"


@cache
def read_translations(language: Language) -> Mapping[str, str]:
    """Return the translation of each template; the default language has none."""
    translations: dict[str, str] = {}
    if language is DEFAULT:
        return translations
    for domain in (OPENAPI, PROBLEMS):
        with find_catalogue_file(language, domain).open("rb") as file:
            catalogue = read_po(file, locale=language)
        for message in catalogue:
            if message.id and message.string and not message.fuzzy:
                translations[str(message.id)] = str(message.string)
    return translations


def translate_text(text: str, language: Language) -> str:
    """Return the text in the language; without a translation it is the English one."""
    translations = read_translations(language)
    if not isinstance(text, Translatable):
        return translations.get(text, text)
    template = translations.get(text.template)
    if template is None:
        # A list of translated parts has no words of its own.
        is_list = any(isinstance(value, Translatable) for value in text.values.values())
        if language is DEFAULT or not is_list:
            return text
        template = text.template
    if not text.values:
        return template
    values = {
        name: translate_text(value, language) if isinstance(value, Translatable) else value
        for name, value in text.values.items()
    }
    return template.format(**values)


def translate_members(content: Any, language: Language) -> Any:
    """Return JSON content with each translatable text in it translated; other text is data."""
    if language is DEFAULT:
        return content
    match content:
        case Translatable():
            return translate_text(content, language)
        case dict():
            return {name: translate_members(member, language) for name, member in content.items()}
        case list() | tuple():
            return [translate_members(member, language) for member in content]
        case _:
            return content
