"""The terms of a procedure differ by case, and the officer names the case."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from dossier_service.catalogue import cache
from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from dossier_service.dossiers.term_cases import choose_term_case
from shared.codes.enums import Channel
from tests.dossier_service.desk import SEAL, Desk, at, instant, wish
from tests.dossier_service.dossiers.test_jobs import announced, due_of, recalculate

NOW = datetime(2026, 11, 16, 2, tzinfo=UTC)
# Three cases at the desk and online, as 1.014241 has them; working days.
DAYS = {"TH01": 5, "TH02": 2, "TH03": 3}
CASES = {"TH01": "Tăng công suất", "TH02": "Đổi tên", "TH03": "Trả lại một phần"}
# Working days from Monday the 16th at 9:00.
DUE = {"TH01": "11-23 09:00", "TH02": "11-18 09:00", "TH03": "11-19 09:00"}


def with_cases(cases: dict[str, str] = CASES) -> Procedure:
    content = read_own_procedures()[SEAL].model_dump(mode="json")
    content["channels"] = [
        {
            "channel": channel,
            "duration": DAYS[code],
            "unit": "working_day",
            "case_code": code,
            "case": case,
        }
        for channel in (1, 2)
        for code, case in cases.items()
    ]
    return Procedure.model_validate(content)


async def put(desk: Desk, procedure: Procedure) -> None:
    async with desk.sessions.begin() as session:
        await publish_procedures(session, [procedure], now=NOW)


@pytest.fixture
async def case_desk(own_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose catalogue holds a procedure with three terms for each channel."""
    monkeypatch.setattr(cache, "CURRENT_S", 0.0)
    await put(own_desk, with_cases())
    return own_desk


def is_due(dossier: dict[str, Any], case: str) -> bool:
    return instant(dossier["due_at"]) == at(DUE[case])


@pytest.mark.parametrize("case", CASES)
async def test_due_date_follows_the_case_named_at_filing(case_desk: Desk, case: str) -> None:
    dossier = await case_desk.file(procedure=SEAL, term_case=case)
    assert dossier["term_case"] == case
    assert is_due(dossier, case)


async def test_due_date_follows_the_longest_term_where_no_case_is_named(case_desk: Desk) -> None:
    dossier = await case_desk.file(procedure=SEAL)
    assert dossier["term_case"] is None
    assert is_due(dossier, "TH01")


async def test_case_named_at_reception_replaces_the_one_of_filing(case_desk: Desk) -> None:
    filed = await case_desk.file(procedure=SEAL, channel=2, term_case="TH01")
    assert (filed["term_case"], filed["due_at"]) == ("TH01", None)
    received = await case_desk.move(filed, 2, term_case="TH02")
    assert received["term_case"] == "TH02"
    assert is_due(received, "TH02")
    read = (await case_desk.read(received["code"])).json()
    assert read["term_case"] == "TH02"


async def test_case_of_the_filing_counts_at_reception(case_desk: Desk) -> None:
    filed = await case_desk.file(procedure=SEAL, channel=2, term_case="TH03")
    assert is_due(await case_desk.move(filed, 2), "TH03")


async def test_case_that_a_new_version_changed_no_longer_counts(case_desk: Desk) -> None:
    kept = await case_desk.file(procedure=SEAL, channel=2, term_case="TH03")
    changed = await case_desk.file(procedure=SEAL, channel=2, term_case="TH02")
    await put(case_desk, with_cases(CASES | {"TH02": "Đổi địa chỉ"}))
    assert is_due(await case_desk.move(kept, 2), "TH03")
    received = await case_desk.move(changed, 2)
    assert received["term_case"] is None
    assert is_due(received, "TH01")


async def test_case_that_the_channel_lacks_is_refused_with_the_list(case_desk: Desk) -> None:
    known = [{"case_code": code, "case": case} for code, case in CASES.items()]
    refused = await case_desk.try_file(wish(procedure=SEAL, term_case="TH09"))
    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/term-case-unknown"
    assert refused.json()["known"] == known
    filed = await case_desk.file(procedure=SEAL, channel=2)
    again = await case_desk.try_change(filed, "transitions", {"to": 2, "term_case": "TH09"})
    assert (again.status_code, again.json()["known"]) == (422, known)


async def test_case_is_refused_where_the_terms_do_not_differ(case_desk: Desk) -> None:
    refused = await case_desk.try_file(wish(term_case="TH01"))
    assert (refused.status_code, refused.json()["known"]) == (422, [])


async def test_case_named_after_the_reception_is_refused(case_desk: Desk) -> None:
    received = await case_desk.file(procedure=SEAL, term_case="TH01")
    late = await case_desk.try_change(received, "transitions", {"to": 4, "term_case": "TH02"})
    assert late.status_code == 409
    assert late.json()["type"] == "/problems/term-case-refused"
    assert is_due((await case_desk.read(received["code"])).json(), "TH01")


async def test_due_date_computed_again_follows_the_case(
    case_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_desk.now = at("12-29 09:00")
    dossier = await case_desk.file(procedure=SEAL, term_case="TH03")
    # Wednesday 30, Thursday 31 December, Monday 4 January.
    assert instant(dossier["due_at"]) == datetime.fromisoformat("2027-01-04T09:00:00+07:00")
    with announced(monkeypatch, closed={date(2027, 1, 4): "a decision"}):
        assert await recalculate(case_desk) == 1
        moved = datetime.fromisoformat("2027-01-05T09:00:00+07:00")
        assert await due_of(case_desk, dossier["code"]) == (moved, False)


# In each table the first term is the longer one by its usual length.
LATEST = (
    # Tết closes from 14 to 22 February. Ten days end on Saturday 21, so on Monday 23; the working
    # days are 12, 13, 23, 24 and 25.
    ("02-11 09:00", ((10, "day"), (5, "working_day")), "02-25 09:00"),
    ("02-11 09:00", ((20, "day"), (5, "working_day")), "03-03 09:00"),
    # The month ends on Monday 2 March. Of the working days 9 lie before Tết, and the others are
    # 23 to 27 February, 2 to 6 March and 9 March.
    ("02-02 09:00", ((1, "month"), (20, "working_day")), "03-09 09:00"),
    # Tuesday 24 November is off.
    ("11-19 09:00", ((7, "day"), (5, "working_day")), "11-27 09:00"),
    ("11-02 09:00", ((7, "day"), (5, "working_day")), "11-09 09:00"),
)


@pytest.mark.parametrize(("start", "terms", "due"), LATEST)
@pytest.mark.parametrize("is_offered_here", [True, False], ids=["channel", "other channel"])
async def test_latest_end_of_several_terms_counts(
    case_desk: Desk,
    start: str,
    terms: tuple[tuple[int, str], ...],
    due: str,
    is_offered_here: bool,
) -> None:
    content = read_own_procedures()[SEAL].model_dump(mode="json")
    content["channels"] = [{"channel": 1}] + [
        {
            "channel": 1 if is_offered_here else 2,
            "duration": duration,
            "unit": unit,
            "case_code": f"TH{place}",
            "case": f"Trường hợp {place}",
        }
        for place, (duration, unit) in enumerate(terms)
    ]
    await put(case_desk, Procedure.model_validate(content))
    case_desk.now = at(start)
    dossier = await case_desk.file(procedure=SEAL)
    (told,) = await case_desk.events(dossier["code"])
    assert instant(dossier["due_at"] or told["latest_at"]) == at(due)
    assert (dossier["due_at"] is not None) is is_offered_here


@pytest.mark.parametrize("cases", [{"TH02": "Đổi tên"}, CASES])
def test_case_that_the_version_of_the_filing_lacks_is_dropped(cases: dict[str, str]) -> None:
    chosen = choose_term_case(
        None,
        "TH01",
        Channel.ONLINE,
        filed_under=with_cases({"TH02": "Đổi tên"}),
        in_force=with_cases(cases),
    )
    assert chosen is None
