import re
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codes.persons.folding import drop_accents, drop_invisible, fold_accented, fold_bare
from tests.fuzz.texts import VIETNAMESE

TABLE = Path(__file__).with_name("names.tsv")
LEAST_CASES = 250
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


def _cases() -> Iterator[tuple[str, str, str]]:
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            verdict, one, other, _ = line.split("\t")
            yield verdict, _unescape(one), _unescape(other)


def _unescape(text: str) -> str:
    """Return the text with the character of each \\uXXXX and \\UXXXXXXXX in its place."""
    return _ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def test_table_has_enough_cases() -> None:
    assert len(list(_cases())) >= LEAST_CASES


@pytest.mark.parametrize(("verdict", "one", "other"), list(_cases()), ids=ascii)
def test_two_spellings_are_judged_as_the_table_says(verdict: str, one: str, other: str) -> None:
    assert one != other
    same_with_accents = fold_accented(one) == fold_accented(other)
    same_without = fold_bare(one) == fold_bare(other)
    one_is_bare = any(fold_accented(name) == fold_bare(name) for name in (one, other))
    if same_with_accents:
        assert verdict == "same"
    elif same_without and one_is_bare:
        assert verdict == "bare"
    else:
        assert verdict == "other"


@given(text=VIETNAMESE | st.text(max_size=40))
def test_key_of_a_key_is_the_key(text: str) -> None:
    accented, bare = fold_accented(text), fold_bare(text)
    assert fold_accented(accented) == accented
    assert fold_bare(accented) == fold_bare(bare) == fold_accented(bare) == bare
    assert drop_accents(accented) == bare


@given(text=VIETNAMESE | st.text(max_size=40))
def test_displayed_form_has_the_same_key(text: str) -> None:
    shown = drop_invisible(text)
    assert drop_invisible(shown) == shown
    assert fold_accented(shown) == fold_accented(text)


@pytest.mark.parametrize(
    "texts",
    [
        lambda: [_characters(start) for start in range(0x4E00, 0xA000, 200)],
        lambda: [f"{number:04d}" + "\ufdfa" * 60 for number in range(600)],
    ],
    ids=["many characters", "long words"],
)
def test_no_text_is_kept_in_memory(texts: Callable[[], Sequence[str]]) -> None:
    fold_bare("Nguyễn Thị Thuỳ-Dương d'Hen")
    asked = texts()
    tracemalloc.start()
    try:
        for text in asked:
            fold_bare(text)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 512 * 1024


def test_planes_beyond_the_tables_have_no_sign_and_no_cased_letter() -> None:
    beyond = map(chr, range(0x20000, 0x110000))
    other = [char for char in beyond if category(char) not in {"Lo", "Cn", "Co"}]
    assert {fold_accented(char) for char in other} == {""}


def _characters(start: int) -> str:
    codes = range(start, min(start + 200, 0x110000))
    return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
