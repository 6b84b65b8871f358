"""docs/access.md says what the tables of these tests say."""

from tests.access.guide import GUIDE, with_tables


def test_guide_shows_the_tables_of_callers_and_answers() -> None:
    """`make schemas` writes them."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert guide == with_tables(guide)
