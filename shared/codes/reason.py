"""The reasons of a transition, a closed list: free text in an event could name a person."""

from enum import StrEnum


class Reason(StrEnum):
    """Reasons of this product, because no official list is published.

    A retained event may hold a code that this list no longer has.
    """

    PAPERS_MISSING = "papers-missing"
    PAPERS_INVALID = "papers-invalid"
    DECLARATION_INCOMPLETE = "declaration-incomplete"
    PAPERS_NOT_SUPPLIED = "papers-not-supplied"
    FEE_UNPAID = "fee-unpaid"
    NOT_ELIGIBLE = "not-eligible"
    WRONG_AGENCY = "wrong-agency"
    WRONG_PROCEDURE = "wrong-procedure"
    FILED_TWICE = "filed-twice"
    APPLICANT_REQUEST = "applicant-request"
    OTHER_PROCEEDINGS = "other-proceedings"
    WRONG_RESULT = "wrong-result"
    APPEAL_UPHELD = "appeal-upheld"
    OTHER = "other"

    @property
    def label(self) -> str:
        """Return the Vietnamese text for display."""
        return _LABELS[self]


_LABELS = {
    Reason.PAPERS_MISSING: "Thiếu giấy tờ trong thành phần hồ sơ",
    Reason.PAPERS_INVALID: "Giấy tờ không hợp lệ hoặc hết hiệu lực",
    Reason.DECLARATION_INCOMPLETE: "Tờ khai chưa đầy đủ hoặc chưa chính xác",
    Reason.PAPERS_NOT_SUPPLIED: "Quá thời hạn mà chưa bổ sung giấy tờ",
    Reason.FEE_UNPAID: "Chưa thực hiện nghĩa vụ tài chính",
    Reason.NOT_ELIGIBLE: "Không đủ điều kiện giải quyết",
    Reason.WRONG_AGENCY: "Không thuộc thẩm quyền giải quyết",
    Reason.WRONG_PROCEDURE: "Nộp không đúng thủ tục",
    Reason.FILED_TWICE: "Hồ sơ đã được nộp trước đó",
    Reason.APPLICANT_REQUEST: "Theo đề nghị của người nộp hồ sơ",
    Reason.OTHER_PROCEEDINGS: "Chờ kết quả của thủ tục hoặc vụ việc khác",
    Reason.WRONG_RESULT: "Kết quả có sai sót",
    Reason.APPEAL_UPHELD: "Khiếu nại được chấp nhận",
    Reason.OTHER: "Lý do khác, ghi trong ý kiến của cán bộ",
}
