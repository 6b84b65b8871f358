import pytest

from dossier_service.catalogue.search_words import read_alternatives, read_code_prefix

LAND = [
    ["giay", "chung", "nhan", "quyen", "su", "dung", "dat"],
    ["dang", "ky", "dat", "dai"],
]


@pytest.mark.parametrize("question", ["sổ đỏ", "Sổ Ðỏ", "so do", "SO DO", " sổ\u200b  đỏ "])
def test_everyday_word_becomes_the_words_of_the_catalogue(question: str) -> None:
    assert read_alternatives(question) == LAND


def test_words_beside_an_everyday_word_stay() -> None:
    assert read_alternatives("cấp đổi sổ đỏ") == [["cap", "doi", *words] for words in LAND]


@pytest.mark.parametrize("question", ["sơ đồ", "số đo", "so dong", "viso do"])
def test_other_word_is_no_synonym(question: str) -> None:
    assert len(read_alternatives(question)) == 1


def test_longest_everyday_phrase_counts() -> None:
    assert read_alternatives("căn cước công dân") == [["can", "cuoc"]]
    assert read_alternatives("bằng lái xe máy") == [["giay", "phep", "lai", "xe", "may"]]


def test_signs_are_no_words() -> None:
    assert read_alternatives("khai-sinh (%_.*)") == [["khai", "sinh"]]
    assert read_alternatives("%") == [[]]


@pytest.mark.parametrize("code", ["1.001193", " 1.0011", "2.002621.h56", "1.001193.000.00.00.H56"])
def test_code_is_read_as_one(code: str) -> None:
    assert read_code_prefix(code) == code.strip().upper()


@pytest.mark.parametrize("text", ["khai sinh", "1", "1.", "0.001193", "1.0011934", "%", "1.00119%"])
def test_other_text_is_no_code(text: str) -> None:
    assert read_code_prefix(text) is None
