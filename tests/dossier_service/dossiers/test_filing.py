from typing import Any
from uuid import uuid4

import pytest

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from shared.codes.persons.person_hash import hash_person
from tests.dossier_service.conftest import PERSON_KEY
from tests.dossier_service.desk import (
    APPLICANT,
    BIRTH_FEE,
    DEATH,
    NAME,
    NUMBER,
    Desk,
    at,
    instant,
    wish,
)
from tests.support.statements import statements


async def test_online_dossier_is_registered_and_waits_for_reception(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    dossier = await desk.file(channel=2)
    assert (dossier["status"], dossier["status_name"]) == (1, "Mới đăng ký")
    assert dossier["version"] == 1
    assert dossier["permitted"] == [2, 3, 5, 6, 7]
    assert dossier["received_at"] is None
    assert dossier["due_at"] is None
    # Eight office hours from 9:00: 2.5 to 11:30, 3.5 to 17:00, 2 of the next morning from 7:00.
    assert instant(dossier["reception_due_at"]) == at("11-17 09:00")


@pytest.mark.parametrize("channel", [1, 3])
async def test_dossier_at_the_desk_or_by_post_is_received_at_once(desk: Desk, channel: int) -> None:
    dossier = await desk.file(procedure=DEATH, channel=channel)
    assert (dossier["status"], dossier["received_at"]) == (2, dossier["filed_at"])


async def test_same_day_procedure_is_due_at_the_close_of_the_day(desk: Desk) -> None:
    desk.now = at("11-16 09:00")
    assert instant((await desk.file())["due_at"]) == at("11-16 17:00")


async def test_code_names_receiver_day_and_serial(desk: Desk) -> None:
    first = await desk.file(received_by="H26.201", decided_by="G01")
    second = await desk.file(received_by="H26.201")
    assert first["code"] == "H26.201-261116-0001"
    assert second["code"] == "H26.201-261116-0002"


async def test_day_of_the_code_is_the_day_at_the_agency(desk: Desk) -> None:
    # 18:30 UTC on the 16th is half past one on the 17th in Viet Nam.
    desk.now = at("11-17 01:30")
    dossier = await desk.file(received_by="H26.202")
    assert dossier["code"] == "H26.202-261117-0001"


async def test_agency_with_an_old_code_keeps_its_form(desk: Desk) -> None:
    desk.agencies = ["000.00.04.H26"]
    dossier = await desk.file(received_by="000.00.04.H26", decided_by="000.00.04.H26")
    assert dossier["code"] == "000.00.04.H26-261116-0001"
    assert (dossier["received_by"], dossier["decided_by"]) == ("H26.04", "H26.04")
    assert (await desk.read(dossier["code"])).status_code == 200
    desk.agencies = ["H26.04"]
    assert (await desk.read(dossier["code"])).status_code == 200


async def test_agency_has_one_row_of_serials_in_both_forms_of_its_code(desk: Desk) -> None:
    forms = ("H26.11", "000.00.11.H26", "H26.11")
    filed = [(await desk.file(received_by=form))["code"] for form in forms]
    assert filed == [f"{form}-261116-{n:04d}" for n, form in enumerate(forms, start=1)]


async def test_fee_of_a_case_is_due_only_where_the_case_was_found(desk: Desk) -> None:
    assert (await desk.file())["fees"] == []
    (fee,) = (await desk.file(fees=[BIRTH_FEE]))["fees"]
    assert (fee["code"], fee["amount_vnd"], fee["paid_at"]) == (BIRTH_FEE, 8000, None)


async def test_answer_names_the_person_by_hash_and_gives_no_field(desk: Desk) -> None:
    answer = await desk.try_file(wish())
    assert answer.headers["X-Subject"] == hash_person(NUMBER, PERSON_KEY.encode())
    assert answer.headers["X-Fields"] == "-"
    assert NUMBER not in answer.text
    assert NAME not in answer.text


async def test_filing_names_its_dossier_for_the_ledger(desk: Desk) -> None:
    answer = await desk.try_file(wish())
    assert answer.headers["X-Dossier"] == answer.json()["code"]


async def test_organisation_is_nobody_to_name(desk: Desk) -> None:
    applicant = {"kind": 2, "name": "Công ty An Bình", "organisation_number": "0101234567"}
    answer = await desk.try_file(wish(applicant=applicant))
    assert answer.headers["X-Subject"] == "-"


@pytest.mark.parametrize("kind", [2, 3, 4])
async def test_household_business_is_named_by_the_number_of_its_owner(
    desk: Desk, kind: int
) -> None:
    applicant = {"kind": kind, "name": "Hộ kinh doanh An", "organisation_number": NUMBER}
    answer = await desk.try_file(wish(applicant=applicant))
    owner = hash_person(NUMBER, PERSON_KEY.encode())
    assert answer.headers["X-Subject"] == owner
    read = await desk.read(answer.json()["code"])
    assert read.headers["X-Subject"] == owner


async def test_number_and_name_stand_in_the_table_of_applicants_only(own_desk: Desk) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    await own_desk.try_file(wish(), headers=headers)
    tables = await own_desk.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename <> 'dossier_applicant'"
    )
    assert {"dossier", "outbox"} <= {table for (table,) in tables}
    for (table,) in tables:
        (found,) = await own_desk.rows(
            f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE :number OR t::text LIKE :name',
            number=f"%{NUMBER}%",
            name=f"%{NAME}%",
        )
        assert found[0] == 0, table


async def test_filing_is_told_once_with_the_whole_standing(desk: Desk) -> None:
    dossier = await desk.file(helped_by="H26.102", decided_by="H29.101")
    (told,) = await desk.events(dossier["code"])
    assert told["type"] == "dossier.filed.v1"
    assert (told["version"], told["status"], told["channel"]) == (1, 2, 1)
    assert (told["helped_by"], told["received_by"], told["decided_by"]) == (
        "H26.102",
        "H26.101",
        "H29.101",
    )
    assert instant(told["due_at"]) == instant(dossier["due_at"])


async def test_filing_takes_few_statements(own_desk: Desk) -> None:
    await own_desk.file()
    documents = [{"paper": f"P{n}", "name": "Giấy", "kind": "copy"} for n in range(20)]
    with statements() as seen:
        answer = await own_desk.try_file(
            wish(documents=documents, fees=[BIRTH_FEE]), headers={"Idempotency-Key": str(uuid4())}
        )
    assert answer.status_code == 201
    assert len(seen) <= 8, seen


async def test_same_request_again_is_the_same_dossier(desk: Desk) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first = await desk.try_file(wish(), headers=headers)
    again = await desk.try_file(wish(), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["X-Subject"] == first.headers["X-Subject"]
    other = await desk.try_file(wish(channel=2), headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"


async def test_refused_request_leaves_its_key_free(desk: Desk) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    wrong = wish(procedure="1.999999")
    for _ in range(2):
        assert (await desk.try_file(wrong, headers=headers)).status_code == 422
    malformed = wish(channel=7)
    for _ in range(2):
        assert (await desk.try_file(malformed, headers=headers)).status_code == 422
    assert (await desk.try_file(wish(), headers=headers)).status_code == 201


UNFIT = {
    "procedure nobody published": ({"procedure": "1.999999"}, "procedure-unknown"),
    "channel not offered": ({"channel": 3}, "channel-not-offered"),
    "fee nobody published": ({"fees": ["LP-X"]}, "fee-unknown"),
    "submitted tomorrow": ({"submitted_at": "2026-11-17T09:00:00+07:00"}, "time-unlikely"),
    "submitted long ago": ({"submitted_at": "2020-01-01T00:00:00+07:00"}, "time-unlikely"),
    "submitted before all": ({"submitted_at": "0001-01-01T00:00:00+14:00"}, "invalid-request"),
}


@pytest.mark.parametrize(("over", "problem"), UNFIT.values(), ids=UNFIT.keys())
async def test_filing_that_fits_no_catalogue_is_refused(
    desk: Desk, over: dict[str, Any], problem: str
) -> None:
    answer = await desk.try_file(wish(**over))
    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")


@pytest.mark.parametrize(
    ("right", "lacking", "place"),
    [
        ({"agencies": ["H29"]}, "agency", "body.received_by"),
        ({"procedures": ["1.000656"]}, "purpose", "body.procedure"),
    ],
)
async def test_filing_outside_the_right_is_refused(
    desk: Desk, right: dict[str, Any], lacking: str, place: str
) -> None:
    answer = await desk.try_file(wish(), right=right)
    refusal = answer.json()
    assert (answer.status_code, refusal["type"]) == (403, "/problems/not-allowed")
    assert (refusal["lacking"], refusal["at"]) == (lacking, place)
    assert answer.headers["X-Subject"] == hash_person(NUMBER, PERSON_KEY.encode())


async def test_filing_is_taken_where_one_of_two_rights_covers_it(desk: Desk) -> None:
    births = {"procedures": ["1.001193"], "fields": None, "agencies": ["H14"]}
    deaths = {"procedures": ["1.000656"], "fields": None, "agencies": ["H26"]}
    for first, second in ((births, deaths), (deaths, births)):
        right = {**first, "others": [second]}
        covered = await desk.try_file(wish(procedure=DEATH), right=right)
        assert covered.status_code == 201, covered.text
        mixed = await desk.try_file(wish(), right=right)
        assert (mixed.status_code, mixed.json()["lacking"]) == (403, "agency")


async def test_agency_that_helps_files_too(desk: Desk) -> None:
    body = wish(helped_by="H29.101", received_by="H26.101")
    assert (await desk.try_file(body, right={"agencies": ["H29"]})).status_code == 201


@pytest.mark.parametrize("channel", [1, 3])
async def test_nobody_receives_in_the_past(desk: Desk, channel: int) -> None:
    desk.now = at("11-17 10:00")
    dossier = await desk.file(
        procedure=DEATH, channel=channel, submitted_at="2026-11-16T09:00:00+07:00"
    )
    assert instant(dossier["filed_at"]) == at("11-16 09:00")
    assert instant(dossier["received_at"]) == at("11-17 10:00")
    assert (await desk.history(dossier["code"]))[0]["at"] == "2026-11-17T03:00:00Z"


async def test_clock_ahead_by_seconds_files_now(desk: Desk) -> None:
    desk.now = at("11-17 10:00")
    dossier = await desk.file(channel=2, submitted_at="2026-11-17T10:00:30+07:00")
    assert instant(dossier["filed_at"]) == at("11-17 10:00")


async def test_longest_term_is_told_where_there_is_no_due_date(own_desk: Desk) -> None:
    timed = read_own_procedures()[DEATH].model_dump(mode="json")
    for channel in timed["channels"]:
        term = (None, None) if channel["channel"] == 1 else (3, "working_day")
        channel["duration"], channel["unit"] = term
        channel["same_day"] = False
    async with own_desk.sessions.begin() as session:
        await publish_procedures(session, [Procedure.model_validate(timed)], now=own_desk.now)
    own_desk.now = at("11-16 09:00")
    dossier = await own_desk.file(procedure=DEATH)
    assert dossier["due_at"] is None
    (told,) = await own_desk.events(dossier["code"])
    # Three working days from Monday 9:00.
    assert instant(told["latest_at"]) == at("11-19 09:00")


async def test_due_date_needs_no_longest_term(desk: Desk) -> None:
    (told,) = await desk.events((await desk.file())["code"])
    assert told["due_at"]
    assert told["latest_at"] is None


async def test_birth_is_of_the_day_at_the_office(desk: Desk) -> None:
    # 18:30 UTC on the 16th is half past one on the 17th in Viet Nam.
    desk.now = at("11-17 01:30")
    born = {"applicant": APPLICANT | {"birth_date": "2026-11-17"}}
    assert (await desk.try_file(wish(**born))).status_code == 201
    unborn = await desk.try_file(wish(applicant=APPLICANT | {"birth_date": "2026-11-18"}))
    assert unborn.status_code == 422
    assert unborn.json()["errors"][0]["at"] == "body.applicant.birth_date"


async def test_channel_refused_says_which_are_offered(desk: Desk) -> None:
    answer = await desk.try_file(wish(channel=3))
    assert answer.json()["offered"] == [1, 2]


async def test_time_of_submission_counts_not_that_of_the_call(desk: Desk) -> None:
    desk.now = at("11-17 10:00")
    dossier = await desk.file(channel=2, submitted_at="2026-11-16T09:00:00+07:00")
    assert instant(dossier["filed_at"]) == at("11-16 09:00")
    assert instant(dossier["reception_due_at"]) == at("11-17 09:00")


async def test_filing_is_refused_when_it_lies_more_than_five_minutes_ahead(desk: Desk) -> None:
    desk.now = at("11-17 10:00")
    near, far = "2026-11-17T10:05:00+07:00", "2026-11-17T10:05:01+07:00"
    assert (await desk.try_file(wish(channel=2, submitted_at=near))).status_code == 201
    answer = await desk.try_file(wish(channel=2, submitted_at=far))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/time-unlikely")
