"""Each judge on hand-made traces: the cases at the border of a rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.conformance.catalogue import FaultKind
from deploy.conformance.judges.table import JUDGES
from deploy.conformance.trace import TOKEN_OPERATION, Call, Row, Trace

VERIFY = "POST /identity/v1/verifications"
FILE = "POST /dossier/v1/dossiers"
READ = "GET /dossier/v1/dossiers/{code}"
MOVE = "POST /dossier/v1/dossiers/{code}/transitions"
PUSH = "POST /sync/v1/dossiers"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def make_call(operation: str, began: float, **over: Any) -> Call:
    """A call that took 0.1 s and succeeded."""
    defaults: dict[str, Any] = {
        "number": int(began * 10),
        "step": "a",
        "ended": began + 0.1,
        "status": 200,
    }
    return Call(operation=operation, began=began, **(defaults | over))


def make_token_request(began: float, **over: Any) -> Call:
    return make_call(TOKEN_OPERATION, began, lifetime=600.0, **over)


def refuse(call: Call, problem: str, status: int, **over: Any) -> Call:
    return replace(call, status=status, problem=problem, faults=(FaultKind.REFUSE,), **over)


def find_faults(rule: str, *calls: Call) -> list[str]:
    return [fault.key for fault in JUDGES[rule](Trace(calls)).faults]


@pytest.mark.parametrize("rule", JUDGES)
def test_rule_without_a_call_is_not_judged(rule: str) -> None:
    examination = JUDGES[rule](Trace(()))
    assert examination.examined == ()
    assert examination.faults == ()


def test_new_token_near_the_end_of_the_old_one_is_no_fault() -> None:
    calls = make_token_request(0), make_call(VERIFY, 1), make_token_request(500)
    assert find_faults("token-reuse", *calls, make_call(VERIFY, 501)) == []


def test_new_token_after_a_refusal_is_no_fault() -> None:
    refused = refuse(make_call(VERIFY, 1), "unauthenticated", 401)
    assert find_faults("token-reuse", make_token_request(0), refused, make_token_request(2)) == []


def test_each_step_may_begin_with_a_token_of_its_own() -> None:
    assert find_faults("token-reuse", make_token_request(0), make_token_request(9, step="b")) == []


def test_new_token_for_the_next_call_is_a_fault() -> None:
    calls = make_token_request(0), make_call(VERIFY, 1), make_token_request(2)
    assert find_faults("token-reuse", *calls, make_call(VERIFY, 3)) == ["fetched-anew"]


def test_repeat_of_another_step_is_no_repeat() -> None:
    refused = refuse(make_call(FILE, 1, key="k", body="b"), "upstream-away", 503, retry_after=3)
    later = make_call(FILE, 9, key="k", body="b", step="b")
    assert find_faults("retry-after", refused, later) == ["not-repeated"]


@pytest.mark.parametrize(("began", "faults"), [(4.1, []), (4.06, []), (4.0, ["too-early"])])
def test_retry_after_counts_from_the_answer(began: float, faults: list[str]) -> None:
    refused = refuse(make_call(FILE, 1, body="b"), "quota-spent", 429, retry_after=3.0)
    assert find_faults("retry-after", refused, make_call(FILE, began, body="b")) == faults


def test_claim_about_a_person_need_not_be_repeated() -> None:
    refused = refuse(make_call(VERIFY, 1), "guesses-spent", 429, retry_after=3)
    assert find_faults("retry-after", refused) == []


def test_repeat_of_a_replayed_answer_is_no_new_act() -> None:
    lost = make_call(FILE, 1, key="k", body="b", faults=(FaultKind.LOSE,), status=None)
    assert find_faults("new-key-for-a-new-act", lost, make_call(FILE, 2, key="k", body="b")) == []


def test_key_of_a_delivered_success_is_used_up() -> None:
    calls = [make_call(FILE, began, key="k", body="b") for began in (1, 2)]
    assert find_faults("new-key-for-a-new-act", *calls) == ["used-before"]


def test_etag_of_the_filing_serves_the_first_change() -> None:
    filed = make_call(FILE, 1, made="d", etag="1")
    change = make_call(MOVE, 2, dossier="d", if_match="1", etag="2")
    later = make_call(MOVE, 3, dossier="d", if_match="2")
    assert find_faults("if-match", filed, change, later) == []
    assert find_faults("if-match", filed, change, replace(later, if_match="1")) == ["not-read"]


def test_etag_of_another_dossier_serves_none() -> None:
    read = make_call(READ, 1, dossier="other", etag="1")
    change = make_call(MOVE, 2, dossier="d", if_match="1")
    assert find_faults("if-match", read, change) == ["not-read"]


def test_etag_that_has_not_come_yet_serves_none() -> None:
    read = make_call(READ, 1, dossier="d", etag="1", ended=9)
    change = make_call(MOVE, 2, dossier="d", if_match="1")
    assert find_faults("if-match", read, change) == ["not-read"]


def test_corrected_request_is_no_repeat_of_the_refused_one() -> None:
    refused = refuse(make_call(FILE, 1, body="b"), "procedure-unknown", 422)
    assert find_faults("refusals-are-final", refused, make_call(FILE, 2, body="c")) == []
    again = make_call(FILE, 2, body="b", key="k")
    assert find_faults("refusals-are-final", refused, again) == ["repeated"]


@pytest.mark.parametrize(
    ("starts", "faults"),
    [
        # The answers come 0.1 s after each start.
        ((0, 1.1, 3.2, 7.3), []),
        ((0, 1.1, 2.2, 3.3), ["not-growing"]),
        ((0, 0.3, 2.2, 6.3), ["too-fast"]),
    ],
)
def test_pauses_are_measured_from_answer_to_repeat(
    starts: tuple[float, ...], faults: list[str]
) -> None:
    *struck, last = [make_call(FILE, began, body="b") for began in starts]
    timed_out = [replace(call, faults=(FaultKind.TIME_OUT,), status=504) for call in struck]
    assert find_faults("growing-pauses", *timed_out, last) == faults


def test_page_that_was_not_shortened_need_not_be_followed() -> None:
    page = make_call("GET /dossier/v1/procedures", 1, next="n")
    assert JUDGES["pages-by-next"](Trace((page,))).examined == ()


def test_refused_row_in_a_later_step_is_another_matter() -> None:
    row = Row(content="c", dossier="d", outcome="refused")
    first = make_call(PUSH, 1, rows=(row,))
    assert find_faults("row-outcomes", first, make_call(PUSH, 2, rows=(row,), step="b")) == []
    assert find_faults("row-outcomes", first, make_call(PUSH, 2, rows=(row,))) == [
        "refused-row-repeated"
    ]


def test_row_that_is_pushed_again_does_not_go_back() -> None:
    older = Row(content="a", dossier="d", source_time=NOON)
    newer = Row(content="b", dossier="d", source_time=NOON + timedelta(seconds=1))
    pushes = [make_call(PUSH, began, rows=(row,)) for began, row in ((1, older), (2, newer))]
    assert find_faults("row-order", *pushes, make_call(PUSH, 3, rows=(older,))) == []
    late = replace(older, content="c")
    assert find_faults("row-order", *pushes, make_call(PUSH, 3, rows=(late,))) == ["backwards"]


def test_two_pushes_may_be_under_way() -> None:
    pushes = [make_call(PUSH, began, ended=9.0) for began in (1, 2)]
    assert find_faults("row-order", *pushes) == []
    assert find_faults("row-order", *pushes, make_call(PUSH, 3)) == ["too-many-at-once"]


def test_answer_of_the_kit_is_no_fault_of_form() -> None:
    refused = refuse(make_call(FILE, 1), "invalid-request", 422)
    assert find_faults("form-of-requests", refused) == []
    assert find_faults("form-of-requests", replace(refused, faults=())) == ["refused"]
