"""The legal basis of a grant is a citation, which leaves no room for a person's name or address."""

import pytest
from pydantic import TypeAdapter, ValidationError

from identity_service.grants.legal_bases import LegalBasisCitation
from identity_service.sandbox.clients import read_sandbox_clients
from tests.contracts.test_requests import described
from tests.identity_service.calls import POLICE, Identity
from tests.identity_service.grants.test_grants import GIVE, new

CITATIONS = [
    "NĐ 118/2025/NĐ-CP Điều 9",
    "Nghị định 278/2025/NĐ-CP",
    "Nghị định số 278/2025/NĐ-CP ngày 22/10/2025 của Chính phủ",
    "điểm a khoản 2 Điều 7 Nghị định 13/2023/NĐ-CP",
    "Điều 7, khoản 2, Luật 26/2023/QH15",
    "Luật 26/2023",
    "Luật Căn cước 26/2023/QH15",
    "Luật Bảo vệ dữ liệu cá nhân số 91/2025/QH15 của Quốc hội",
    "Luật Dữ liệu 60/2024/QH15; Công điện 101/CĐ-TTg",
    "QĐ 06/QĐ-TTg; QĐ 766/QĐ-TTg",
    "Quyết định 2439/QĐ-TTg ngày 4/11/2025 của Thủ tướng Chính phủ",
    "Thông tư 03/2025/TT-VPCP và TT 01/2018/TT-VPCP",
    "TT 21/2023/TT-BTTTT được sửa đổi, bổ sung bởi TT 11/2025/TT-BKHCN",
    "Thông tư liên tịch 01/2016/TTLT-BTP-BNV",
    "Nghị quyết 66/NQ-CP Phụ lục II",
    "công văn 4856/VPCP-KSTT",
    "CV 623/TTg-KSTT",
    "văn bản số 12/UBND-KSTT",
    "Quy chế 05/QC-UBND",
    "Hợp đồng 17/2026/HĐ-VPCP",
    "Thỏa thuận 17/2026/TT-BCA",
    "QCVN 102:2016/BTTTT",
    "26/2023/QH15",
    " NĐ 118/2025/NĐ-CP ",
]
NUMBER_IN_CITATIONS = "QĐ 0341/2025, QĐ 1234"
OTHER = [
    "theo lời chị Trần Thị Bình, ngõ 5 Hàng Bông",
    "Trần Thị Bình",
    "NĐ 118/2025/NĐ-CP; theo lời chị Trần Thị Bình",
    "NĐ 118/2025/NĐ-CP Trần Thị Bình",
    "Trần Thị Bình: NĐ 118/2025/NĐ-CP",
    "Luật Trần Thị Bình 26/2023/QH15",
    "Nghị định của Trần Thị Bình",
    "số 5 Hàng Bông",
    "QĐ 06/QĐ-TTg; vận hành nền tảng",
    "NĐ 118/2025/NĐ-CP (Bình)",
    "NĐ 118/2025/NĐ-CP\nBình",
    "NĐ 118/2025/NĐ-CP\n",
    "NĐ 118/2025/Bình",
    "QĐ 001090000001",
    NUMBER_IN_CITATIONS,
    "Điều 7",
    "Nghị định",
    "Luật",
    "2025",
    "make bench",
    "x",
    "",
    "   ",
]
LEGAL_BASIS: TypeAdapter[str] = TypeAdapter(LegalBasisCitation)


@pytest.mark.parametrize("text", CITATIONS)
def test_citation_of_legal_texts_is_a_legal_basis(text: str) -> None:
    assert LEGAL_BASIS.validate_python(text) == text.strip()


@pytest.mark.parametrize("text", OTHER)
def test_other_text_is_no_legal_basis_and_the_form_is_shown(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        LEGAL_BASIS.validate_python(text)
    [fault] = refused.value.errors()
    assert "NĐ 118/2025/NĐ-CP" in fault["msg"] or "may be a person's number" in fault["msg"]
    assert "Bình" not in fault["msg"]


def test_document_describes_the_citations_that_are_taken() -> None:
    schema = described(LegalBasisCitation)
    assert [text for text in CITATIONS if not schema.is_valid(text)] == []
    # No pattern tells the number of a person from other digits.
    assert [text for text in OTHER if schema.is_valid(text)] == [NUMBER_IN_CITATIONS]


def test_longest_refused_citation_is_judged_at_once() -> None:
    """Each word is read in one way, so a long text costs no more than its length."""
    for words in ("NĐ 118/2025/NĐ-CP, ", "Điều 7 khoản 2 ", "sửa đổi, bổ sung ", "Luật ", "1/X-"):
        text = (words * 200)[:498] + "!!"
        with pytest.raises(ValidationError):
            LEGAL_BASIS.validate_python(text)


def test_grants_of_the_sandbox_cite_legal_texts() -> None:
    bases = [grant.legal_basis for each in read_sandbox_clients().values() for grant in each.grants]
    assert bases
    assert [LEGAL_BASIS.validate_python(basis) for basis in bases] == bases


async def test_grant_for_another_reason_than_a_legal_text_is_refused(identity: Identity) -> None:
    basis = "theo lời chị Trần Thị Bình, ngõ 5 Hàng Bông"
    answer = await identity.call(GIVE, by=POLICE, json=new(legal_basis=basis))
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["at"] == "body.legal_basis"
    assert "NĐ 118/2025/NĐ-CP Điều 9" in fault["is"]
    assert "Bình" not in answer.text
