"""The pages on access say what the tables of these tests say."""

import pytest

from tests.access.guide import GUIDES, read_words, with_tables


@pytest.mark.parametrize("language", GUIDES)
def test_guide_shows_the_tables_of_callers_and_answers(language: str) -> None:
    """`make schemas` writes them."""
    guide = GUIDES[language].read_text(encoding="utf-8")
    assert guide == with_tables(guide, read_words(language))
