from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from dossier_service.dossiers.filters import DossierFilter, StepFilter
from shared.codes.enums import DossierStatus
from shared.codes.persons.person_hash import hash_person
from shared.web.pagination import PageParameters, write_cursor
from tests.dossier_service.conftest import PERSON_KEY
from tests.dossier_service.desk import (
    APPLICANT,
    BIRTH,
    DEATH,
    DOSSIERS,
    NUMBER,
    ONE,
    SEAL,
    Desk,
    at,
    utc,
)
from tests.support.statements import statements

ONE_READ = f"GET {ONE}"


async def codes(desk: Desk, **asked: Any) -> list[str]:
    right = asked.pop("right", None)
    answer = await desk.call(f"GET {DOSSIERS}", params=asked, right=right)
    assert answer.status_code == 200, answer.text
    return [row["code"] for row in answer.json()["items"]]


async def test_dossier_is_read_with_its_applicant_and_papers(desk: Desk) -> None:
    filed = await desk.file(summary="Khai sinh cho con", external_code="HN/17")
    answer = await desk.read(filed["code"])
    found = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert found["applicant"]["personal_number"] == NUMBER
    assert found["documents"] == [{"paper": "TK-KS", "name": "Tờ khai", "kind": "original"}]
    assert (found["summary"], found["external_code"]) == ("Khai sinh cho con", "HN/17")
    assert {name: found[name] for name in filed} == filed
    assert answer.headers["X-Subject"] == hash_person(NUMBER, PERSON_KEY.encode())
    assert answer.headers["X-Fields"] == "kind,name,personal_number,birth_date,summary,documents"


async def test_dossier_that_is_known_is_not_sent_again_and_is_still_a_look(desk: Desk) -> None:
    code = (await desk.file())["code"]
    for known in ('"1"', 'W/"1"', "*", '"0", "1"'):
        answer = await desk.call(ONE_READ, f"{DOSSIERS}/{code}", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"1"')
        assert answer.headers["X-Subject"] == hash_person(NUMBER, PERSON_KEY.encode())
    other = await desk.call(ONE_READ, f"{DOSSIERS}/{code}", headers={"If-Match": '"01"'})
    assert (other.status_code, other.json()["type"]) == (412, "/problems/changed-meanwhile")
    assert other.headers["X-Subject"] == hash_person(NUMBER, PERSON_KEY.encode())


async def test_right_with_fields_gives_these_only(desk: Desk) -> None:
    filed = await desk.file(summary="Khai sinh cho con")
    answer = await desk.read(filed["code"], right={"fields": ["name", "phone"]})
    assert answer.json()["applicant"] == {"name": APPLICANT["name"], "phone": None}
    assert "summary" not in answer.json()
    assert "documents" not in answer.json()
    assert answer.headers["X-Fields"] == "name"


async def test_right_without_fields_gives_none(desk: Desk) -> None:
    filed = await desk.file()
    answer = await desk.read(filed["code"], right={"fields": []})
    assert answer.json()["applicant"] == {}
    assert answer.headers["X-Fields"] == "-"
    assert NUMBER not in answer.text


async def test_title_of_a_result_needs_its_field(desk: Desk) -> None:
    titled = {"title": "Giấy khai sinh của Lê Thị Hoa", "number": "77/2026"}
    dossier = await desk.issue(await desk.move(await desk.file(), 4), **titled)
    assert set(dossier["results"][0]) == {"code", "electronic", "issued_at", "recalled_at"}
    without = await desk.read(dossier["code"], right={"fields": ["name"]})
    assert without.headers["X-Fields"] == "name"
    assert "Hoa" not in without.text
    assert "77/2026" not in without.text
    allowed = await desk.read(dossier["code"], right={"fields": ["results", "documents"]})
    assert allowed.headers["X-Fields"] == "documents,results"
    (result,) = allowed.json()["results"]
    assert (result["title"], result["number"]) == (titled["title"], titled["number"])


READERS: Mapping[str, tuple[dict[str, Any], int]] = {
    "who helped": ({"agencies": ["H26.501"]}, 200),
    "who received": ({"agencies": ["H26.101"]}, 200),
    "who decides": ({"agencies": ["H29.777"]}, 200),
    "above who decides": ({"agencies": ["H29"]}, 200),
    "everywhere": ({"agencies": None}, 200),
    "a neighbour": ({"agencies": ["H26.50"]}, 404),
    "nobody": ({"agencies": []}, 404),
    "of its procedure": ({"procedures": [BIRTH]}, 200),
    "of another procedure": ({"procedures": [DEATH]}, 404),
}


@pytest.mark.parametrize(("right", "status"), READERS.values(), ids=READERS.keys())
async def test_dossier_is_seen_by_its_agencies_only(
    desk: Desk, right: dict[str, Any], status: int
) -> None:
    filed = await desk.file(helped_by="H26.501", decided_by="H29.777")
    code = filed["code"]
    assert (await desk.read(code, right=right)).status_code == status
    history = await desk.call(f"GET {ONE}/history", f"{DOSSIERS}/{code}/history", right=right)
    assert history.status_code == status
    listed = await codes(desk, right=right, agency="H29.777", limit=500)
    assert (code in listed) == (status == 200)


async def test_malformed_code_says_what_a_code_looks_like(desk: Desk) -> None:
    answer = await desk.read("H26.101-261399-0001")
    assert answer.status_code == 422
    assert "YYMMDD" in answer.text
    assert (await desk.read("H26.101-261116-9999")).status_code == 404


async def test_history_is_paged(desk: Desk) -> None:
    dossier = await desk.move(await desk.file(channel=2), 5, 1, 5, 1)
    path = f"{DOSSIERS}/{dossier['code']}/history"
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"after": cursor} if cursor else {})
        page = (await desk.call(f"GET {ONE}/history", path, params=params)).json()
        seen += [step["to_status"] for step in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == [1, 5, 1, 5, 1]


async def test_list_is_newest_first_and_shows_each_once(own_desk: Desk) -> None:
    filed = []
    for minute in range(7):
        # Two at each minute: the code decides where the time does not.
        own_desk.now = at("11-16 09:00") + timedelta(minutes=minute // 2)
        filed.append((await own_desk.file(helped_by="H26.102"))["code"])
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await own_desk.call(
            f"GET {DOSSIERS}",
            params={"limit": 3} | cursor,
            right={"agencies": ["H26", "H26.101", "H26.102"]},
        )
        seen += [row["code"] for row in answer.json()["items"]]
        if answer.json()["next"] is None:
            break
        cursor = {"after": answer.json()["next"]}
    assert seen == filed[::-1]


async def test_list_narrows_by_every_filter(own_desk: Desk) -> None:
    own_desk.now = at("11-16 09:00")
    birth = (await own_desk.file())["code"]
    seal = (await own_desk.file(procedure=SEAL, decided_by="H29.101"))["code"]
    own_desk.now = at("11-18 09:00")
    online = await own_desk.move(await own_desk.file(channel=2, received_by="H26.102"), 3)
    for asked, expected in (
        ({}, {birth, seal, online["code"]}),
        ({"status": 2}, {birth, seal}),
        ({"procedure": SEAL}, {seal}),
        ({"channel": 2}, {online["code"]}),
        ({"agency": "H26.102"}, {online["code"]}),
        ({"agency": "H29"}, {seal}),
        ({"agency": "H30"}, set()),
        ({"filed_from": "2026-11-17"}, {online["code"]}),
        ({"filed_to": "2026-11-16"}, {birth, seal}),
        ({"filed_from": "2026-11-16", "filed_to": "2026-11-16", "status": 2}, {birth, seal}),
        # Three working days from Monday 9:00 is Thursday 9:00; the birth was due on Monday.
        ({"due_before": "2026-11-19"}, {birth}),
        ({"due_before": "2026-11-20"}, {birth, seal}),
        ({"due_before": "2026-11-20", "channel": 1}, {birth, seal}),
        ({"overdue": "true"}, {birth}),
    ):
        assert set(await codes(own_desk, **asked)) == expected, asked


async def test_national_code_lists_the_dossiers_of_its_localised_forms(own_desk: Desk) -> None:
    """A localised code, in either form, lists its own alone: the rule of `coverage`."""
    localised = [f"{BIRTH}.H26", f"{BIRTH}.G18.04"]
    content = read_own_procedures()[BIRTH].model_dump()
    forms = [Procedure.model_validate(content | {"code": code}) for code in localised]
    async with own_desk.sessions.begin() as session:
        await publish_procedures(session, forms, now=utc(own_desk.now))
    national, capital, ministry = [
        (await own_desk.file(procedure=code))["code"] for code in (BIRTH, *localised)
    ]
    await own_desk.file(procedure=SEAL)
    for asked, expected in (
        (BIRTH, [ministry, capital, national]),
        (f"{BIRTH}.H26", [capital]),
        (f"{BIRTH}.000.00.04.G18", [ministry]),
        (f"{BIRTH}.H29", []),
    ):
        assert await codes(own_desk, procedure=asked) == expected
        assert await codes(own_desk, procedure=asked, agency="H26.101") == expected


async def test_agency_filter_never_widens_the_right(own_desk: Desk) -> None:
    shared = (await own_desk.file(decided_by="H29.101"))["code"]
    own_desk.agencies = ["H29"]
    await own_desk.file(received_by="H29.101", decided_by="H29.101")
    asked = {"agency": "H29", "right": {"agencies": ["H26"]}}
    assert await codes(own_desk, **asked) == [shared]


async def test_list_shows_nothing_of_the_applicant(desk: Desk) -> None:
    await desk.file(summary="Khai sinh cho con")
    answer = await desk.call(f"GET {DOSSIERS}")
    assert "X-Subject" not in answer.headers
    for personal in (NUMBER, str(APPLICANT["name"]), "cho con"):
        assert personal not in answer.text


async def test_list_takes_few_statements(desk: Desk) -> None:
    await desk.file()
    with statements() as seen:
        await codes(desk, right={"agencies": ["H26", "H29"], "procedures": [BIRTH]}, status=2)
    assert len(seen) <= 6, seen


@pytest.mark.parametrize(
    "asked",
    [
        {"status": 11},
        {"procedure": "birth"},
        {"agency": "Hanoi"},
        {"filed_from": "16/11/2026"},
        {"channel": 0},
        {"limit": 501},
    ],
)
async def test_malformed_filter_is_refused(desk: Desk, asked: dict[str, Any]) -> None:
    answer = await desk.call(f"GET {DOSSIERS}", params=asked)
    assert answer.status_code == 422


ALL = DossierFilter().read_keyset(PageParameters())
OF_STATUS = DossierFilter(status=DossierStatus.RECEIVED).read_keyset(PageParameters())
STRANGE = {
    "not base64": "x",
    "no name": write_cursor(()),
    "no key": ALL.write(()),
    "the name alone of another list": OF_STATUS.write(
        ("2026-11-16T09:00:00Z", "H26.101-261116-0001")
    ),
    "the key of another list": ALL.write((1, 2)),
    "a time without a zone": ALL.write(("2026-11-16T09:00:00", "H26.101-261116-0001")),
    "a code with a NUL": ALL.write(("2026-11-16T09:00:00Z", "H26\0-261116-0001")),
}


@pytest.mark.parametrize("cursor", STRANGE.values(), ids=STRANGE.keys())
async def test_cursor_of_nobody_is_refused(desk: Desk, cursor: str) -> None:
    answer = await desk.call(f"GET {DOSSIERS}", params={"after": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-unreadable")


async def test_cursor_beyond_all_numbers_is_refused(desk: Desk) -> None:
    code = (await desk.file())["code"]
    cursor = StepFilter().read_keyset(PageParameters(), code).write((2**40,))
    path = f"{DOSSIERS}/{code}/history"
    answer = await desk.call(f"GET {ONE}/history", path, params={"after": cursor})
    assert answer.status_code == 400


async def test_cursor_is_good_for_its_own_list_and_filters_alone(desk: Desk) -> None:
    dossiers = [await desk.file(received_by="H26.777") for _ in range(2)]
    asked = {"agency": "H26.777", "limit": 1}
    page = await desk.call(f"GET {DOSSIERS}", params=asked)
    after = {"after": page.json()["next"]}
    for other, status in (({}, 200), ({"limit": 5}, 200), ({"status": 2}, 400)):
        answer = await desk.call(f"GET {DOSSIERS}", params=asked | other | after)
        assert answer.status_code == status, answer.text
    assert (await desk.call(f"GET {DOSSIERS}", params=after)).status_code == 400
    path = f"{DOSSIERS}/{dossiers[0]['code']}/history"
    foreign = await desk.call(f"GET {ONE}/history", path, params=after)
    assert foreign.json()["type"] == "/problems/cursor-unreadable"
