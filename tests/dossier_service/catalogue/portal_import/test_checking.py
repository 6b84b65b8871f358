"""The check finds each difference between an imported procedure and its source."""

import json
from pathlib import Path
from typing import Any

import pytest

from dossier_service.catalogue.portal_import import checking
from dossier_service.catalogue.portal_import.checking import check_published
from dossier_service.catalogue.portal_import.faults import TextFault
from dossier_service.catalogue.portal_import.papers import PAPERS_HEAD
from dossier_service.catalogue.portal_import.reader import Readable, read_lines, read_published
from dossier_service.catalogue.procedure import Procedure
from tests.dossier_service.catalogue.portal_import.test_reader import (
    published_line,
    ways,
)
from tests.dossier_service.catalogue.samples import PUBLISHED

TEXT = (
    f"--{PAPERS_HEAD}Đơn theo Mẫu số 181 bản chínhHóa đơn: 01 bản chụp0 bản chính,1 bản sao"
    f"Báo cáo;1 bản chính Hồ sơ tàu2 bản chính* Ủy quyền:{PAPERS_HEAD}Văn bản1 bản chínhGiấy"
)
CHANNELS = ways(
    ("Trực tiếp", "34 Ngày làm việc200,000 VNĐ(Cấp mới)(1) Tăng công suất"),
    ("Trực tiếp", "17 Ngày làm việc100,000 VNĐ(Cấp lại)(2) Đổi tên, không quá 20 ngày"),
    ("Trực tuyến", "1200 VNĐ(10.000 đồng)"),
    ("Dịch vụ bưu chính", "1.5 Ngày làm việcMiễn phí"),
)


def full_line() -> bytes:
    line = json.loads(published_line(documents_text=TEXT, channels=CHANNELS))
    numbers: list[int | None] = [34, 17, 1200, 1]
    for way, number in zip(line["channels"], numbers, strict=True):
        way["duration"] = number
    kept = {"kind": "Loại khác", "cooperating": "", "conditions_text": "Đủ 18 tuổi", "source": ""}
    return json.dumps(line | kept).encode()


def test_import_that_says_what_the_source_says_is_explained() -> None:
    report = check_published([full_line()])
    assert report.unexplained == []
    assert report.counted == {
        "procedures": 1,
        "papers": 6,
        "counts": 5,
        "counts left unread": 1,
        "results": 1,
        "channels": 4,
        "terms": 3,
        "terms left unread": 1,
        "terms by case": 2,
        "fees": 2,
    }
    assert "0  unexplained" in str(report)


def change_paper(content: dict[str, Any], **changes: object) -> None:
    content["papers"][0] |= changes


def drop_paper(content: dict[str, Any]) -> None:
    content["papers"].pop(1)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: change_paper(content, originals=81, name="Đơn theo Mẫu số 1"),
        lambda content: change_paper(content, copies=1),
        lambda content: change_paper(content, originals=None),
        drop_paper,
        lambda content: content["channels"][0].update(duration=3),
        lambda content: content["channels"][0].update(unit="day"),
        lambda content: content["channels"][0].update(duration=None, unit=None),
        lambda content: content["channels"][0].update(case=None, case_code=None),
        lambda content: content["channels"].pop(),
        lambda content: content["fees"][0].update(amount_vnd=20_000),
        lambda content: content["fees"].pop(),
        lambda content: content["results"].pop(),
        lambda content: content["results"][0].update(code="KQ.G01.000002"),
        lambda content: content.update(conditions_text=""),
        lambda content: content["faults"].pop(),
    ],
)
def test_changed_import_is_found(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [entry] = read_published([full_line()])
    assert isinstance(entry, Readable)
    content = entry.procedure.model_dump(mode="json")
    change(content)
    changed = Readable(entry.line, Procedure.model_validate(content), entry.faults)
    monkeypatch.setattr(checking, "read_published", lambda lines: [changed for _ in lines])
    assert check_published([full_line()]).unexplained


@pytest.mark.parametrize(
    "fault",
    [
        TextFault.COUNT_RUNS_INTO_NUMBER,
        TextFault.COUNT_WITHIN_PAPER,
        TextFault.PAPER_END_UNCLEAR,
        TextFault.PAPER_WITHOUT_COUNT,
        TextFault.DURATION_DIFFERS_BY_CASE,
        TextFault.DURATION_RUNS_INTO_FEE,
        TextFault.FEE_UNCLEAR,
        TextFault.TERM_IN_DESCRIPTION,
        TextFault.AMOUNT_IN_DESCRIPTION,
    ],
)
def test_missing_flag_is_found(fault: TextFault, monkeypatch: pytest.MonkeyPatch) -> None:
    [entry] = read_published([full_line()])
    assert isinstance(entry, Readable)
    assert fault in entry.faults
    faults = entry.faults - {fault}
    content = entry.procedure.model_dump(mode="json") | {"faults": sorted(faults)}
    unflagged = Readable(entry.line, Procedure.model_validate(content), faults)
    monkeypatch.setattr(checking, "read_published", lambda lines: [unflagged for _ in lines])
    findings = check_published([full_line()]).unexplained
    assert findings
    assert all("not flagged" in finding.problem for finding in findings)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published procedures are not at hand")
def test_every_published_procedure_says_what_its_source_says() -> None:
    report = check_published(read_lines(Path(PUBLISHED)))
    assert report.unexplained == []
    assert report.counted["procedures"] == 2642
    assert report.counted["refused"] == 0
    # These texts of papers have the length of a cut; a few shorter ones end without a count.
    assert report.flagged[TextFault.PAPERS_CUT] == 314
    assert report.flagged[TextFault.COUNT_RUNS_INTO_NUMBER] == 75
