"""The language of an answer follows Accept-Language (RFC 9110 §12.5.4)."""

import pytest

from shared.texts.languages import Language, choose_language, read_language

EN, VI = Language.ENGLISH, Language.VIETNAMESE
CHOSEN = {
    "vi": VI,
    "VI": VI,
    "vi-VN": VI,
    "vi-Latn-VN": VI,
    "vi-VN,vi;q=0.9,en-US;q=0.8,en;q=0.7": VI,
    "en": EN,
    "en-GB": EN,
    "en-US,en;q=0.9,vi;q=0.8": EN,
    "en;q=0.8, vi;q=0.9": VI,
    "en ; q=0.8 , vi ; q=0.9": VI,
    "en, vi": EN,
    "vi, en": VI,
    "fr": EN,
    "fr, vi;q=0.1": VI,
    "*": EN,
    "en;q=0, *": VI,
    "en;q=0.000, *;q=0.001": VI,
    "vi;q=0": EN,
    "vi;q=0, *": EN,
    "en;q=0": EN,
    "en;q=0.5, *;q=0.8": VI,
    "vi;q=2": EN,
    "vi;q=much": EN,
    "vietnamese": EN,
    "": EN,
    ";;, ,": EN,
    "vi_VN": EN,
}


@pytest.mark.parametrize(("header", "language"), CHOSEN.items(), ids=CHOSEN)
def test_language_is_the_accepted_one_of_the_greatest_weight(
    header: str, language: Language
) -> None:
    assert choose_language(header) is language


@pytest.mark.parametrize(
    ("lines", "language"),
    [([], EN), ([b"vi"], VI), ([b"fr", b"vi;q=0.5"], VI), ([b"\xff\xfe"], EN)],
)
def test_several_lines_are_one_list(lines: list[bytes], language: Language) -> None:
    headers = [(b"accept", b"vi"), *((b"accept-language", line) for line in lines)]
    assert read_language({"headers": headers}) is language
