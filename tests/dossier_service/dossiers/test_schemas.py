import json
from typing import Any
from uuid import uuid4

import pytest

from tests.dossier_service.desk import (
    APPLICANT,
    DOSSIERS,
    Desk,
    wish,
)


def _applicant(**over: Any) -> dict[str, Any]:
    return {"applicant": APPLICANT | over}


MALFORMED = {
    "personal number of 11 digits": _applicant(personal_number="00109000001"),
    "personal number in other digits": _applicant(personal_number="٠٠١٠٩٠٠٠٠٠٠١"),
    "birth date of no calendar": _applicant(birth_date="1990-02-30"),
    "birth date in words": _applicant(birth_date="14/05/1990"),
    "birth date to come": _applicant(birth_date="2999"),
    "birth date of no century": _applicant(birth_date="0000"),
    "name without a letter": _applicant(name="   "),
    "name with a NUL": _applicant(name="An\x00Binh"),
    "address of mail with a NUL": _applicant(email="Binh\x00@example.vn"),
    "name with half a character": _applicant(name="An\ud800"),
    "unknown kind": _applicant(kind=5),
    "organisation with a personal number": _applicant(kind=2),
    "citizen with a number of an organisation": _applicant(organisation_number="0101234567"),
    "unknown field": {"surprise": 1},
    "procedure code": {"procedure": "1.1193"},
    "channel": {"channel": 4},
    "agency in words": {"received_by": "Hà Nội"},
    "agency with a space": {"decided_by": "H26 .1"},
    "agency too long": {"received_by": "H26" + ".1" * 20},
    "time without a zone": {"submitted_at": "2026-11-16T09:00:00"},
    "too many documents": {"documents": [wish()["documents"][0]] * 101},
    "document kind": {"documents": [{"paper": "P", "name": "n", "kind": "fake"}]},
    "external code": {"external_code": "a b"},
}


@pytest.mark.parametrize("over", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_filing_is_refused_without_repeating_it(
    desk: Desk, over: dict[str, Any]
) -> None:
    body = wish(**over)
    # By hand, since httpx cannot write half a character.
    answer = await desk.call(
        f"POST {DOSSIERS}",
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"]
    for secret in ("0010900000", "٠٠١", "Binh", "14/05/1990"):
        assert secret not in answer.text


@pytest.mark.parametrize("born", ["1938-00-00", "1938", "19380000", "1990-05-00", "19900514"])
async def test_birth_date_that_can_be_verified_can_be_filed(desk: Desk, born: str) -> None:
    assert (await desk.try_file(wish(**_applicant(birth_date=born)))).status_code == 201


@pytest.mark.parametrize("name", ["\u200d\u2060", "Lê\u0085Hai", "Lê\u2029Hai", "12"], ids=ascii)
async def test_applicant_whose_name_shows_nothing_is_refused(desk: Desk, name: str) -> None:
    answer = await desk.try_file(wish(**_applicant(name=name)))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == "body.applicant.name"


VIETNAMESE = {"Accept-Language": "vi"}


@pytest.mark.parametrize("over", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_filing_is_refused_in_the_language_of_its_caller(
    desk: Desk, over: dict[str, Any]
) -> None:
    body = json.dumps(wish(**over)).encode()
    sent = {"Content-Type": "application/json"}
    english = await desk.call(f"POST {DOSSIERS}", content=body, headers=sent)
    vietnamese = await desk.call(f"POST {DOSSIERS}", content=body, headers=sent | VIETNAMESE)
    assert vietnamese.headers["Content-Language"] == "vi"
    for one, other in zip(english.json()["errors"], vietnamese.json()["errors"], strict=True):
        assert one["at"] == other["at"]
        assert one["is"] != other["is"]


async def test_refused_transition_is_told_in_the_language_of_its_caller(desk: Desk) -> None:
    dossier = await desk.file(channel=2)
    answer = await desk.try_change(dossier, "transitions", {"to": 9}, headers=VIETNAMESE)
    problem = answer.json()
    assert problem["type"] == "/problems/transition-refused"
    assert problem["title"] == "Trạng thái này không thể theo sau trạng thái hiện tại"
    assert problem["detail"] == "Hãy chuyển hồ sơ sang một trạng thái trong `permitted`."
    assert problem["permitted"] == dossier["permitted"]


async def test_repeat_in_another_language_gets_the_first_answer(desk: Desk) -> None:
    body, key = wish(), {"Idempotency-Key": f"languages-{uuid4()}"}
    first = await desk.try_file(body, headers=key)
    again = await desk.try_file(body, headers=key | VIETNAMESE)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.content == first.content
