import json

import pytest

from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.portal_import.papers import PAPERS_HEAD
from dossier_service.catalogue.portal_import.reader import (
    Readable,
    Unreadable,
    read_published,
    read_published_file,
)
from dossier_service.catalogue.portal_import.report import make_import_report
from dossier_service.catalogue.portal_import.text_parser import (
    mend_cut_subjects,
    read_channel_text,
    read_results,
)
from shared.codes.enums import Channel
from shared.rules.deadlines import Term, Unit
from tests.dossier_service.catalogue.samples import PUBLISHED


def published_line(**changes: object) -> bytes:
    line: dict[str, object] = {
        "code": "1.999999",
        "name": "Cấp giấy",
        "owner": "G01",
        "level": "Cấp tỉnh, Cấp xã",
        "sector": "Cư trú",
        "decision": "1/QĐ-BCA",
        "subjects": ["Công dân Việt Nam"],
        "competent": "",
        "channels": [{"channel": "Trực tiếp", "text": "3 Ngày làm việc20,000 Việt Nam Đồng"}],
        "documents_text": f"--{PAPERS_HEAD}Tờ khai1 bản chính",
        "result_codes": ["KQ.G01.000001"],
        "result_text": "GiấyMã: KQ.G01.000001",
    }
    return json.dumps(line | changes).encode()


def read_one(**changes: object) -> Readable:
    [entry] = read_published([published_line(**changes)])
    assert isinstance(entry, Readable), entry
    return entry


def ways(*texts: tuple[str, str]) -> list[dict[str, str]]:
    return [{"channel": channel, "text": text} for channel, text in texts]


Wording = tuple[str, int | None, Unit | None, int | None, tuple[TextFault, ...]]
# Each text of a way stands before the duration, unit, amount and faults that are read from it.
WORDINGS: list[Wording] = [
    ("3 Ngày làm việc20,000 Việt Nam Đồng", 3, Unit.WORKING_DAY, 20_000, ()),
    ("30 Ngày4.000.000 VNĐ(mỗi giấy)", 30, Unit.DAY, 4_000_000, ()),
    ("8 GiờMiễn phí", 8, Unit.HOUR, 0, ()),
    ("6 Tháng100 USD", 6, Unit.MONTH, None, (TextFault.FEE_IN_FOREIGN_CURRENCY,)),
    # one and a half working days are twelve working hours
    ("1.5 Ngày làm việcMiễn phí", 12, Unit.HOUR, 0, ()),
    # fifteen hundred, or one and a half
    ("1.500 Ngày làm việcMiễn phí", None, None, 0, (TextFault.DURATION_UNCLEAR,)),
    ("5 Ngày1,20,000 VNĐ", 5, Unit.DAY, None, (TextFault.FEE_UNCLEAR,)),
    (
        "5 Ngày20,000 VNĐ(Qua mạng 10.000 đồng)",
        5,
        Unit.DAY,
        20_000,
        (TextFault.AMOUNT_IN_DESCRIPTION,),
    ),
    ("5 NgàyMiễn phíKhông quá 45 ngày", 5, Unit.DAY, 0, (TextFault.TERM_IN_DESCRIPTION,)),
    ("1.5 ThángMiễn phí", None, None, 0, (TextFault.DURATION_UNCLEAR,)),
    ("1Miễn phí", None, None, 0, (TextFault.DURATION_WITHOUT_UNIT,)),
    # 1 (of what?) and 200, or 1,200: not to be told apart
    (
        "1200 VNĐ",
        None,
        None,
        None,
        (TextFault.DURATION_RUNS_INTO_FEE, TextFault.FEE_UNCLEAR),
    ),
    (
        "Không có thông tinKhông có thông tinNộp tại chỗ",
        None,
        None,
        None,
        (TextFault.DURATION_NOT_STATED, TextFault.FEE_NOT_STATED),
    ),
    # thousands left out
    (
        "5 Ngày50 VNĐ(50.000 đồng)",
        5,
        Unit.DAY,
        None,
        (TextFault.FEE_UNCLEAR, TextFault.AMOUNT_IN_DESCRIPTION),
    ),
    (
        "5 NgàyMiễn phí(Cấp mới 40.000 đồng)",
        5,
        Unit.DAY,
        0,
        (TextFault.FREE_ONLY_IN_PART, TextFault.AMOUNT_IN_DESCRIPTION),
    ),
]


@pytest.mark.parametrize(("text", "duration", "unit", "amount", "faults"), WORDINGS)
def test_wording_of_a_way_is_read_where_it_is_clear(
    text: str,
    duration: int | None,
    unit: Unit | None,
    amount: int | None,
    faults: tuple[TextFault, ...],
) -> None:
    assert read_channel_text(text)[:3] == (duration, unit, amount)
    assert read_channel_text(text).faults == faults


def test_plain_line_is_read_without_faults() -> None:
    entry = read_one()
    assert entry.faults == frozenset()
    assert entry.procedure.term(Channel.DESK) == Term(3, Unit.WORKING_DAY)
    assert [fee.amount_vnd for fee in entry.procedure.fees] == [20_000]
    assert [paper.name for paper in entry.procedure.papers] == ["Tờ khai"]


def test_subjects_cut_at_their_commas_are_joined() -> None:
    cut = ["Tổ chức (không bao gồm doanh nghiệp", "HTX)", "Cán bộ", "công chức", "viên chức"]
    assert mend_cut_subjects(cut) == (
        "Tổ chức (không bao gồm doanh nghiệp, HTX)",
        "Cán bộ, công chức, viên chức",
    )
    assert TextFault.SUBJECTS_MENDED in read_one(subjects=cut).faults


def test_one_amount_for_every_channel_is_one_fee() -> None:
    channels = ways(("Trực tiếp", "1 Ngày5,000 VNĐ"), ("Trực tuyến", "1 Ngày5,000 VNĐ"))
    [fee] = read_one(channels=channels).procedure.fees
    assert (fee.channel, fee.amount_vnd, fee.case) == (None, 5000, None)


def test_amounts_that_differ_by_channel_are_fees_of_a_channel() -> None:
    channels = ways(("Trực tiếp", "1 Ngày20,000 VNĐ"), ("Trực tuyến", "1 Ngày10,000 VNĐ"))
    procedure = read_one(channels=channels).procedure
    assert [fee.amount_vnd for fee in procedure.list_fees_due(Channel.ONLINE)] == [10_000]


def test_several_amounts_on_one_channel_are_never_added_up() -> None:
    channels = ways(
        ("Trực tiếp", "1 Ngày200,000 VNĐ(Cấp mới)"), ("Trực tiếp", "1 Ngày400,000 VNĐ(Cấp lại)")
    )
    entry = read_one(channels=channels)
    assert TextFault.FEE_DIFFERS_BY_CASE in entry.faults
    assert [fee.case for fee in entry.procedure.fees] == ["Cấp mới", "Cấp lại"]
    assert entry.procedure.list_fees_due(Channel.DESK) == ()


def test_several_terms_of_one_channel_are_kept_as_cases() -> None:
    channels = ways(
        ("Trực tiếp", "34 Ngày làm việcKhông có thông tin(1) Tăng công suất"),
        ("Trực tuyến", "34 Ngày làm việcKhông có thông tin"),
        ("Trực tiếp", "17 Ngày làm việcKhông có thông tin(2) Đổi tên"),
    )
    entry = read_one(channels=channels)
    assert TextFault.DURATION_DIFFERS_BY_CASE in entry.faults
    procedure = entry.procedure
    assert procedure.list_term_cases(Channel.DESK) == {
        "TH01": "(1) Tăng công suất",
        "TH02": "(2) Đổi tên",
    }
    assert procedure.term(Channel.DESK, "TH02") == Term(17, Unit.WORKING_DAY)
    assert procedure.term(Channel.DESK) == Term(34, Unit.WORKING_DAY)
    assert procedure.list_term_cases(Channel.ONLINE) == {}
    assert procedure.term(Channel.ONLINE) == Term(34, Unit.WORKING_DAY)


def test_one_term_in_two_entries_makes_no_case() -> None:
    channels = ways(("Trực tiếp", "3 NgàyMiễn phíCấp mới"), ("Trực tiếp", "3 NgàyMiễn phíCấp lại"))
    entry = read_one(channels=channels)
    assert entry.procedure.list_term_cases(Channel.DESK) == {}
    assert TextFault.DURATION_DIFFERS_BY_CASE not in entry.faults


def test_results_are_read_with_code_and_name() -> None:
    text = "Giấy phépMã: KQ.G10.000246...văn bản trả lời.Mã: KQ.G10.1341Quyết địnhMã: Chưa có"
    assert [(result.code, result.name) for result in read_results(text)] == [
        ("KQ.G10.000246", "Giấy phép"),
        ("KQ.G10.1341", "văn bản trả lời"),
        (None, "Quyết địnhMã: Chưa có"),
    ]
    faults = read_one(result_text=text, result_codes=["KQ.G10.000246"]).faults
    assert {TextFault.RESULT_CODE_MALFORMED, TextFault.RESULT_CODES_DIFFER} <= faults


def test_everything_published_is_kept() -> None:
    kept = {
        "conditions_text": "Đủ 18 tuổi",
        "cooperating": "Công an xã",
        "kind": "Loại khác",
        "source": "https://dichvucong.gov.vn/thu-tuc-hanh-chinh/1",
    }
    procedure = read_one(**kept, documents_text="--Nộp một bộ hồ sơ").procedure
    assert procedure.model_dump(include=set(kept)) == kept
    assert (procedure.papers, procedure.papers_text) == ((), "Nộp một bộ hồ sơ")
    assert procedure.faults == (TextFault.PAPERS_UNREADABLE,)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"conditions_text": "x" * 1_000}, TextFault.CONDITIONS_CUT),
        ({"result_text": "Mã: KQ.G01.000001".rjust(600, "x")}, TextFault.RESULTS_CUT),
        (
            {"channels": ways(("Trực tiếp", "1 NgàyMiễn phí".ljust(600)))},
            TextFault.CHANNEL_TEXT_CUT,
        ),
    ],
)
def test_text_of_the_greatest_length_is_flagged_as_cut(
    changes: dict[str, object], fault: TextFault
) -> None:
    assert fault in read_one(**changes).faults
    assert fault not in read_one().faults


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"code": "khai sinh"}, "code: "),
        ({"name": "   "}, "name: "),
        ({"level": "Cấp vũ trụ"}, "levels.0: "),
        ({"channels": ways(("Bồ câu", "1 NgàyMiễn phí"))}, "channels.0.channel: "),
        ({"sector": None}, "sector: "),
    ],
)
def test_line_that_gives_no_procedure_is_named_with_its_reason(
    changes: dict[str, object], says: str
) -> None:
    [entry] = read_published([published_line(**changes)])
    assert isinstance(entry, Unreadable)
    assert entry.reasons[0].startswith(says)


def test_second_line_of_the_same_code_is_refused() -> None:
    first, second = read_published([published_line(), published_line(name="Cấp lại giấy")])
    assert isinstance(first, Readable)
    assert second == Unreadable(2, "1.999999", ("the same code as in line 1",))


def test_report_accounts_for_every_line() -> None:
    lines = [
        published_line(),
        published_line(code="1.999998", owner=None, result_codes=["KQ.1"], channels=[]),
        published_line(),
        b"{broken",
    ]
    report = make_import_report(read_published(lines))
    assert (report.read, report.imported, report.with_faults) == (4, 2, 1)
    assert [refusal.line for refusal in report.refused] == [3, 4]
    assert report.faults == {
        TextFault.NO_CHANNELS: ["1.999998"],
        TextFault.OWNER_WITHOUT_CODE: ["1.999998"],
        TextFault.RESULT_CODE_MALFORMED: ["1.999998"],
        TextFault.RESULT_CODES_DIFFER: ["1.999998"],
    }
    assert "4 read: 2 imported (1 of them with faults), 2 refused" in str(report)
    assert json.loads(report.model_dump_json())["refused"][0]["code"] == "1.999999"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published procedures are not at hand")
def test_every_published_procedure_is_imported_or_named() -> None:
    report = make_import_report(read_published_file(PUBLISHED))
    assert report.read == 2642
    assert report.imported + len(report.refused) == report.read
    assert report.refused == []
    assert report.faults[TextFault.NO_CHANNELS] == ["1.009824"]
