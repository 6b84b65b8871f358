"""Every text for persons has a translation, which keeps its values and its words of the API."""

import ast
import re
from collections.abc import Iterator

import pytest

from deploy.problem_types.classes import PACKAGES
from deploy.texts.catalogue_files import read_catalogue, serialise_catalogue
from deploy.texts.extraction import Places, extract_texts
from shared.texts.catalogues import OPENAPI, PROBLEMS, find_catalogue_file
from shared.texts.languages import Language
from tests.shape.sources import list_sources

VIETNAMESE = Language.VIETNAMESE
DOMAINS = (PROBLEMS, OPENAPI)
MESSAGES = [
    (str(message.id), str(message.string), message.fuzzy)
    for domain in DOMAINS
    for message in read_catalogue(VIETNAMESE, domain)
    if message.id
]
# Parts of an English sentence, which pydantic chooses by the number and the type of a value.
ENGLISH_GRAMMAR = frozenset({"{expected_plural}", "{field_type}"})
PLACEHOLDER = re.compile(r"\{[^}]*\}")
# Code, headers, paths, members of JSON and numbers mean the same in every language.
WORD_OF_API = re.compile(
    r"`[^`]+`|\b[A-Z][A-Za-z]*-[A-Z][A-Za-z-]+|/[a-z][\w/.{}-]*|\b[a-z]+_[a-z_]+\b|RFC \d+"
    r"|\d[\d.,:-]*\d|[*§]|\b(?:GET|POST|JSON|JWT|UTF-8|ASCII|MAC)(?=s?\b)"
)


@pytest.fixture(scope="module")
def extracted() -> dict[str, Places]:
    return dict(extract_texts())


@pytest.mark.parametrize("domain", DOMAINS)
def test_catalogue_lists_the_texts_of_the_code(domain: str, extracted: dict[str, Places]) -> None:
    written = find_catalogue_file(VIETNAMESE, domain).read_text(encoding="utf-8")
    assert written == serialise_catalogue(VIETNAMESE, domain, extracted[domain]), "run `make texts`"


def test_every_text_is_translated() -> None:
    assert [text for text, translation, _ in MESSAGES if not translation.strip()] == []
    assert [text for text, _, is_fuzzy in MESSAGES if is_fuzzy] == []


def test_translation_has_the_values_of_its_text() -> None:
    differing = {
        text: translation
        for text, translation, _ in MESSAGES
        if set(PLACEHOLDER.findall(text)) - ENGLISH_GRAMMAR
        != set(PLACEHOLDER.findall(translation)) - ENGLISH_GRAMMAR
    }
    assert differing == {}


def test_translation_keeps_the_words_of_the_api() -> None:
    differing = {
        text: sorted(set(list_words(text)) ^ set(list_words(translation)))
        for text, translation, _ in MESSAGES
        if set(list_words(text)) != set(list_words(translation))
    }
    assert differing == {}


def list_words(text: str) -> Iterator[str]:
    """Yield the words of the API, without differences of the two languages.

    These part thousands by different signs, and name the page of the documents in the language.
    """
    for part in ENGLISH_GRAMMAR:
        text = text.replace(part, "")
    for word in WORD_OF_API.findall(text):
        yield re.sub(r"(?<=\d)[.,](?=\d{3}\b)|^/(?:en|vi)(?=/)", "", word)


def test_translation_ends_as_its_text() -> None:
    differing = [
        text for text, translation, _ in MESSAGES if text.endswith(".") != translation.endswith(".")
    ]
    assert differing == []


def test_correction_of_a_field_can_be_translated() -> None:
    plain = [
        f"{source.name}:{value.lineno}"
        for source in list_sources(*PACKAGES)
        for node in ast.walk(ast.parse(source.text))
        if isinstance(node, ast.Dict)
        for name, value in zip(node.keys, node.values, strict=True)
        if isinstance(name, ast.Constant)
        and name.value == "is"
        and isinstance(value, ast.Constant | ast.JoinedStr)
    ]
    assert plain == []


def test_each_template_stands_as_a_literal_in_the_code() -> None:
    """Otherwise no catalogue could list it."""
    computed = [
        f"{source.name}:{call.lineno}"
        for source in list_sources(*PACKAGES)
        for call in ast.walk(ast.parse(source.text))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Translatable"
        and not isinstance(call.args[0], ast.Constant)
    ]
    assert computed == []
