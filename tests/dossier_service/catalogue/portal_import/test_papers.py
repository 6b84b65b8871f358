"""The counts of papers are read out of a text that runs them into their names."""

import pytest

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.portal_import.papers import PAPERS_HEAD, read_papers

Papers = list[tuple[str, int | None, int | None]]


def read_table(table: str, *, is_cut: bool = False) -> tuple[Papers, frozenset[TextFault]]:
    papers, faults = read_papers(f"--{PAPERS_HEAD}{table}", is_cut=is_cut)
    return [(paper.name, paper.originals, paper.copies) for paper in papers], faults


@pytest.mark.parametrize(
    ("name", "count", "originals", "copies"),
    [
        # form 18, not 81 originals and not 181
        ("Đơn theo Mẫu số 18", "1 bản chính", 1, 0),
        ("Đơn theo Mẫu số 08", "1 bản chính", 1, 0),
        ("Thông tư ngày 01/01/2026", "1 bản chính,1 bản sao", 1, 1),
        ("khoản 1 Điều 12 Nghị định 116", "0 bản chính,2 bản sao", 0, 2),
        ("theo mẫu BM.NCC.20.03", "1 bản chính", 1, 0),
        ("Bản đồ tỷ lệ 1:10.000", "1 bản chính", 1, 0),
        ("công trình đường sắt bước 1", "1 bản chính", 1, 0),
        ("Mẫu số 03-QĐ613", "1 bản chính", 1, 0),
    ],
)
@pytest.mark.parametrize("following", ["", "Tờ khai1 bản chính"])
def test_count_is_parted_from_the_number_that_it_runs_into(
    name: str, count: str, originals: int, copies: int, following: str
) -> None:
    papers, faults = read_table(f"{name}{count}{following}")
    assert papers[0] == (name, originals, copies)
    assert len(papers) == (2 if following else 1)
    assert faults == {TextFault.COUNT_RUNS_INTO_NUMBER}


def test_count_of_one_digit_or_two_is_left_unread() -> None:
    # "Mau.docx" in ten originals, or "Mau.docx1" in none
    papers, faults = read_table("Mau.docx10 bản chính,2 bản saoTờ khai1 bản chính")
    assert papers == [("Mau.docx10", None, 2), ("Tờ khai", 1, 0)]
    assert faults == {TextFault.COUNT_UNCLEAR}


def test_number_in_the_words_of_a_paper_is_not_its_count() -> None:
    papers, faults = read_table(
        "Hóa đơn (nếu có): 01 bản chụp0 bản chính,1 bản saoTờ khai: 02 bản chính0 bản chính"
        "01 bản chính văn bản đề nghị1 bản chínhẢnh, 2 bản chính để đối chiếu2 bản chính"
    )
    assert papers == [
        ("Hóa đơn (nếu có): 01 bản chụp", 0, 1),
        ("Tờ khai: 02 bản chính", 0, 0),
        ("01 bản chính văn bản đề nghị", 1, 0),
        ("Ảnh, 2 bản chính để đối chiếu", 2, 0),
    ]
    assert faults == {TextFault.COUNT_WITHIN_PAPER}


@pytest.mark.parametrize("between", [" ", ". ", ".+ ", ") ", "\t", " (2). "])
def test_papers_run_into_one_are_parted_and_flagged(between: str) -> None:
    papers, faults = read_table(f"Báo cáo;1 bản chính{between}Hồ sơ tàu1 bản chính,1 bản sao")
    assert [(originals, copies) for _, originals, copies in papers] == [(1, 0), (1, 1)]
    assert papers[0][0] == "Báo cáo;"
    assert papers[1][0].endswith("Hồ sơ tàu")
    assert faults == {TextFault.PAPER_END_UNCLEAR}


def test_sentence_that_goes_on_behind_a_number_is_one_paper() -> None:
    papers, faults = read_table("Hồ sơ gồm:1 bản chính và giấy kèm theo1 bản chính")
    assert papers == [("Hồ sơ gồm:1 bản chính và giấy kèm theo", 1, 0)]
    assert faults == {TextFault.COUNT_WITHIN_PAPER}


def test_paper_that_was_cut_off_is_kept_without_a_count() -> None:
    papers, faults = read_table("Tờ khai1 bản chínhVăn bản ủy quy", is_cut=True)
    assert papers == [("Tờ khai", 1, 0), ("Văn bản ủy quy", None, None)]
    assert faults == {TextFault.PAPERS_CUT}


def test_text_cut_between_two_papers_is_flagged_too() -> None:
    papers, faults = read_table("Tờ khai1 bản chính", is_cut=True)
    assert papers == [("Tờ khai", 1, 0)]
    assert faults == {TextFault.PAPERS_CUT}


def test_last_paper_without_a_count_is_kept() -> None:
    papers, faults = read_table("Tờ khai1 bản chínhGiấy khác")
    assert papers == [("Tờ khai", 1, 0), ("Giấy khác", None, None)]
    assert faults == {TextFault.PAPER_WITHOUT_COUNT}


def test_papers_carry_the_heading_of_their_table_as_case() -> None:
    papers, faults = read_papers(
        f"--{PAPERS_HEAD}Tờ khai1 bản chính* Ủy quyền:{PAPERS_HEAD}Văn bản0 bản chính,1 bản sao--"
    )
    assert [(paper.name, paper.case) for paper in papers] == [
        ("Tờ khai", None),
        ("Văn bản", "Ủy quyền"),
    ]
    assert not faults
