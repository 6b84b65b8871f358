"""Parse citations of legal texts, such as `NĐ 118/2025/NĐ-CP Điều 9`.

The legal basis of a grant goes into events and into each record of access, which must not name a
person. A citation has the number of a document, and otherwise only words of a closed list
(decision 39).
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from shared.codes.persons.personal_numbers import NoPersonalNumber
from shared.texts.translatable import Translatable

MAX_CITATION: Final = 500

_KINDS = (
    "[Ll]uật|[Bb]ộ luật|[Pp]háp lệnh|[Nn]ghị (?:định|quyết)|[Qq]uyết định|[Tt]hông (?:tư|báo)"
    "|[Tt]hông tư liên tịch|[Cc]hỉ thị|[Cc]ông (?:văn|điện)|[Vv]ăn bản|[Kk]ế hoạch"
    "|[Qq]uy (?:chế|chuẩn|định)|[Hh]ợp đồng|[Tt]h(?:ỏa|oả) thuận"
    "|NĐ|ND|NQ|QĐ|QD|TT|TTLT|CT|CV|CĐ|VB|KH|TB|QC|QCVN|HĐ"
)
# Laws of the field are cited by their names too.
_TITLES = (
    "An ninh mạng|Bảo vệ dữ liệu cá nhân|Căn cước|Chuyển đổi số|Công nghệ thông tin|Cư trú|Dữ liệu"
    "|Giao dịch điện tử|Hộ tịch|Tiếp cận thông tin"
)
_NUMBER = "(?:[0-9]{1,4}[/:](?:19|20)[0-9]{2}|[0-9]{1,5})"
# The kind and the issuers, in capitals: NĐ-CP, QH15, TTLT-BTP-BNV. The Prime Minister is TTg.
_SIGN = "(?:TTg|[A-ZĐ]{1,8}[0-9]{0,2})"
_SYMBOL = f"/{_SIGN}(?:-{_SIGN}){{0,4}}"
_DOCUMENT = (
    f"(?:(?:{_KINDS}) (?:(?:{_TITLES}) )?(?:số )?{_NUMBER}(?:{_SYMBOL})?|{_NUMBER}{_SYMBOL})"
)
_PART = (
    "(?:[Đđ]iều|[Kk]hoản|[Đđ]iểm|[Mm]ục|[Cc]hương|[Pp]hần|[Pp]hụ lục)"
    " (?:[0-9]{1,3}[a-zđ]?|[IVXL]{1,6}|[a-zđ])"
)
_LINK = (
    "và|hoặc|của|theo|tại|được|bởi|sửa đổi|bổ sung|thay thế|Quốc hội|(?:Thủ tướng )?Chính phủ"
    "|ngày [0-3]?[0-9]/[01]?[0-9]/(?:19|20)[0-9]{2}"
)
_OTHER = f"(?:{_PART}|{_LINK})"
# Each word matches in one way only, so that a text is matched in one pass.
CITATION_PATTERN: Final = f"^ *(?:{_OTHER}[,;]? )*{_DOCUMENT}(?:[,;]? (?:{_DOCUMENT}|{_OTHER}))* *$"
_CITATION = re.compile(CITATION_PATTERN)
_ADVICE = Translatable(
    "Cite a legal text by kind and number, with articles where you want, as NĐ 118/2025/NĐ-CP Điều"
    " 9 or Luật 26/2023/QH15; add no reason, title, name or address"
)


def parse_citation(text: str) -> str:
    """Return the citation without blanks at its ends; raise ValueError, which never repeats it."""
    if len(text) > MAX_CITATION:
        raise ValueError(
            Translatable(
                "{advice}. It has at most {count} characters",
                advice=_ADVICE,
                count=MAX_CITATION,
            )
        )
    if not _CITATION.fullmatch(text):
        raise ValueError(_ADVICE)
    return text.strip()


LegalBasisCitation = Annotated[
    str,
    AfterValidator(parse_citation),
    NoPersonalNumber,
    WithJsonSchema(
        {
            "type": "string",
            "description": "a citation: kind and number of legal texts, and articles",
            "maxLength": MAX_CITATION,
            "pattern": CITATION_PATTERN,
            "examples": ["NĐ 118/2025/NĐ-CP Điều 9", "Luật Căn cước 26/2023/QH15"],
        }
    ),
]
