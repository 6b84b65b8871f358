import re
import unicodedata

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.codes.persons.texts import PersonName, SingleLineText

NAMES: TypeAdapter[str] = TypeAdapter(PersonName)
BREAKING = [c for c in map(chr, range(0x3000)) if unicodedata.category(c) in {"Cc", "Zl", "Zp"}]
LINES: TypeAdapter[str] = TypeAdapter(SingleLineText)


@pytest.mark.parametrize(
    "name",
    [
        "\u200d\u2060", "\ufeff\u200b", "\u202e\u202c", "\u3164", "\u115f", "-", "'", "12", "…",
        "Lê\u0085Hai", "Lê\u2028Hai", "Lê\u2029Hai", "Lê\nHai", "Lê\x00Hai", "Lê\x7fHai",
        "Lê\x9bHai", "", "  ",
    ],
    ids=ascii,
)  # fmt: skip
def test_name_that_shows_no_letter_or_breaks_the_line_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        NAMES.validate_python(name)


@pytest.mark.parametrize("name", ["Y Moan Êñuôl", "H’Hen Niê", "Ê", "Đỗ", "阮文安", "Иван", "7-A"])
def test_name_with_a_letter_is_taken_as_it_is(name: str) -> None:
    assert NAMES.validate_python(name) == name


def test_name_is_kept_as_it_is_displayed() -> None:
    assert NAMES.validate_python(" Lê\u202e  Hai\u200b ") == "Lê Hai"
    assert NAMES.validate_python(unicodedata.normalize("NFD", "Lê Hải")) == "Lê Hải"


@pytest.mark.parametrize("char", BREAKING, ids=ascii)
def test_no_control_or_separator_character_enters_a_line(char: str) -> None:
    with pytest.raises(ValidationError):
        LINES.validate_python(f"a{char}b")


def test_published_pattern_is_one_that_other_languages_read() -> None:
    pattern = NAMES.json_schema()["pattern"]
    assert re.fullmatch(pattern, "Lê Hải")
    assert not re.fullmatch(pattern, "\u200b")
    assert "\\x" in pattern
    assert "(?" not in pattern
