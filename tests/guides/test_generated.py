"""The generated pages of reference are as the code has them, in both languages."""

import pytest

from deploy.reference.pages import build_pages
from deploy.reference.texts import LANGUAGES, Language, read_texts
from tests.guides.pages import DOCS

REGENERATE = "`make schemas` writes docs/<language>/reference anew; commit what it changes"


@pytest.mark.parametrize("language", LANGUAGES)
def test_generated_pages_are_fresh(language: Language) -> None:
    for name, text in build_pages(read_texts(language)).items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"{name}: {REGENERATE}"


def test_texts_are_complete_and_none_is_left_over() -> None:
    texts = read_texts("en")
    build_pages(texts)
    assert texts.missing == set()
    assert texts.list_known() - texts.used == set()
