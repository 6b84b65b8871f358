"""The dossier service shows what a right covers, and nothing else tells of the rest."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.use_cases import publish_procedures
from tests.access.answers import told
from tests.access.model import FIELDS, PROCEDURES, Filed, Limits, filed, limits, tried
from tests.conftest import Databases
from tests.dossier_service.conftest import make_settings, serving
from tests.dossier_service.desk import DOSSIERS, ONE, Desk, at
from tests.support.factories import TestAuthority

ALL: dict[str, Any] = Limits().claims
UNKNOWN = "H99-261116-0001"
SECRETS = {
    "name": "Trần Thị Bí Mật",
    "personal_number": "001191000002",
    "address": "12 ngõ Kín",
    "summary": "tóm tắt kín",
    "note": "lời ghi kín",
    "documents": "Giấy kín",
    "results": "Kết quả kín",
}
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "transitions": {"to": 9},
    "progress": {"step": "desk-1"},
    "payments": {"fee": "F", "amount_vnd": 1, "reference": "P", "method": "cash"},
    "results": {"code": "KQ.G15.000031", "number": "1", "title": "t", "electronic": False},
}


@pytest.fixture(scope="session")
async def office(postgres: Databases) -> AsyncIterator[Desk]:
    """With a catalogue that also holds localised procedures, which ask for no fee or result."""
    made = await asyncio.to_thread(make_settings, postgres)
    async with serving(made, TestAuthority()) as desk:
        plain = _plain()
        localised = [plain.model_copy(update={"code": code}) for code in PROCEDURES]
        async with desk.sessions.begin() as session:
            await publish_procedures(session, localised, now=at("01-06 08:00"))
        yield desk


def _plain() -> Any:
    by_code = read_own_procedures()
    return by_code["1.001193"].model_copy(update={"fees": (), "result_codes": ()})


async def file(office: Desk, dossier: Filed) -> str:
    """As somebody who may do all."""
    answer = await office.try_file(wish(dossier), right=ALL)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def wish(dossier: Filed) -> dict[str, Any]:
    return {
        "procedure": dossier.procedure,
        "channel": 1,
        "applicant": {"kind": 1} | {name: SECRETS[name] for name in FIELDS[:3]},
        "received_by": dossier.received_by,
        "decided_by": dossier.decided_by,
        "helped_by": dossier.helped_by,
        "summary": SECRETS["summary"],
        "documents": [{"paper": "P", "name": SECRETS["documents"], "kind": "copy"}],
    }


async def file_in_full(office: Desk, dossier: Filed) -> str:
    """Every field that a right can withhold is filled."""
    answer = await office.try_file(wish(dossier), right=ALL)
    made, code = answer.json(), str(answer.json()["code"])
    result = {**CHANGES["results"], "title": SECRETS["results"]}
    answer = await office.try_change(made, "results", result, right=ALL)
    assert answer.status_code == 201, answer.text
    progress = {"step": "desk-1", "note": SECRETS["note"]}
    answer = await office.try_change(answer.json(), "progress", progress, right=ALL)
    assert answer.status_code == 201, answer.text
    return code


async def clear(office: Desk) -> None:
    """Out of all lists; what was filed before is then asked for by nobody."""
    async with office.sessions.begin() as session:
        await session.execute(text("DELETE FROM dossier_party"))


async def read_pages(office: Desk, right: Limits, limit: int, **asked: Any) -> list[str]:
    """The codes of a list, walked to its end by its own cursors."""
    codes: list[str] = []
    while True:
        params = {"limit": limit, **asked}
        answer = await office.call(f"GET {DOSSIERS}", right=right.claims, params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        codes += [item["code"] for item in page["items"]]
        if page["next"] is None:
            return codes
        asked["after"] = page["next"]


@tried(10)
@given(st.lists(filed, min_size=1, max_size=3), limits)
async def test_dossier_outside_the_right_does_not_exist(
    office: Desk, dossiers: Sequence[Filed], right: Limits
) -> None:
    await clear(office)
    codes = {await file(office, dossier): dossier for dossier in dossiers}
    seen = {code for code, dossier in codes.items() if right.sees(dossier)}
    unknown = await ask_for(office, right, UNKNOWN)
    for code in codes:
        answers = await ask_for(office, right, code)
        if code in seen:
            assert {name for name, each in answers.items() if each.status_code == 404} == set()
            continue
        assert tell(answers, code) == tell(unknown, UNKNOWN)
        assert {each.status_code for each in answers.values()} == {404}
    assert set(await read_pages(office, right, limit=2)) == seen


async def ask_for(office: Desk, right: Limits, code: str) -> dict[str, Response]:
    """In each way that names a dossier; every change is one of a version that it never had."""
    asked = {
        "read": await office.read(code, right=right.claims),
        "history": await office.call(
            f"GET {ONE}/history", f"{DOSSIERS}/{code}/history", right=right.claims
        ),
    }
    for what, body in CHANGES.items():
        stale = {"code": code, "version": 999}
        key = {"Idempotency-Key": str(uuid4())}
        asked[what] = await office.try_change(stale, what, body, right=right.claims, headers=key)
    return asked


def tell(answers: Mapping[str, Response], code: str) -> dict[str, object]:
    return {name: told(answer, code) for name, answer in answers.items()}


@tried(20)
@given(filed, limits)
async def test_fields_outside_the_right_are_left_out(
    office: Desk, dossier: Filed, right: Limits
) -> None:
    await clear(office)
    code = await file_in_full(office, dossier)
    within = Limits(fields=right.fields)
    answers = await ask_for(office, within, code)
    shown = {name for name, secret in SECRETS.items() if secret in answers["read"].text}
    assert shown == {name for name in FIELDS if within.shows(name)}
    assert set(answers["read"].headers["X-Fields"].split(",")) - {"-", "kind"} == shown
    others = "".join(each.text for name, each in answers.items() if name != "read")
    others += (await office.call(f"GET {DOSSIERS}", right=within.claims)).text
    others += str(await office.events(code))
    assert [secret for secret in SECRETS.values() if secret in others] == []


@tried(25)
@given(
    st.lists(filed, min_size=1, max_size=4), limits, st.sampled_from(("procedure", "agency")), filed
)
async def test_filter_or_cursor_widens_no_list(
    office: Desk,
    dossiers: Sequence[Filed],
    right: Limits,
    by: str,
    asked: Filed,
) -> None:
    """`asked` gives the filter; the other cursor is of somebody who sees all."""
    await clear(office)
    codes = {await file(office, dossier): dossier for dossier in dossiers}
    seen = {code for code, dossier in codes.items() if right.sees(dossier)}
    within = Limits(agencies=frozenset({asked.received_by}))
    value = asked.procedure if by == "procedure" else asked.received_by

    def fits(dossier: Filed) -> bool:
        if by == "procedure":
            return dossier.procedure == value
        return any(map(within.reaches, dossier.agencies))

    fitting = {code for code in seen if fits(codes[code])}
    assert set(await read_pages(office, right, 1, **{by: value})) == fitting
    theirs = await office.call(f"GET {DOSSIERS}", right=ALL, params={"limit": 1})
    if cursor := theirs.json()["next"]:
        assert set(await read_pages(office, right, 1, after=cursor)) <= seen


@tried(8)
@given(st.lists(filed, min_size=1, max_size=2), filed, limits)
async def test_what_happens_outside_the_right_changes_no_answer(
    office: Desk, dossiers: Sequence[Filed], added: Filed, right: Limits
) -> None:
    await clear(office)
    codes = [await file(office, dossier) for dossier in dossiers]
    before = await everything(office, right, codes)
    await file(office, added)
    after = await everything(office, right, codes)
    assert (before == after) or right.sees(added)


async def everything(office: Desk, right: Limits, codes: Sequence[str]) -> list[object]:
    """All that the right shows: of each dossier, and lists with their cursors."""
    answers = [tell(await ask_for(office, right, code), code) for code in codes]
    for params in ({"limit": 1}, {"limit": 50}, {"overdue": True}, {"agency": "H26"}):
        listed = await office.call(f"GET {DOSSIERS}", right=right.claims, params=params)
        answers.append({"list": told(listed, None)})
    return list(answers)


@tried(10)
@given(filed, limits)
async def test_key_of_another_client_gives_no_answer_of_theirs(
    office: Desk, dossier: Filed, right: Limits
) -> None:
    await clear(office)
    code, key = await file(office, dossier), {"Idempotency-Key": str(uuid4())}
    stands = {"code": code, "version": 1}
    first = await office.try_change(stands, "progress", CHANGES["progress"], right=ALL, headers=key)
    assert first.status_code == 201, first.text
    mine = {"client": "another-client", **right.claims}
    repeat = await office.try_change(
        stands, "progress", CHANGES["progress"], right=mine, headers=key
    )
    assert "Idempotent-Replayed" not in repeat.headers
    assert repeat.status_code in ({412, 403} if right.sees(dossier) else {404})


@tried(25)
@given(filed, limits)
async def test_who_files_sees_what_was_filed(office: Desk, dossier: Filed, right: Limits) -> None:
    answer = await office.try_file(wish(dossier), right=right.claims)
    filing = [dossier.received_by, dossier.helped_by or dossier.received_by]
    may = right.allows(dossier.procedure) and any(map(right.reaches, filing))
    assert answer.status_code == (201 if may else 403)
    if may:
        read = await office.read(answer.json()["code"], right=right.claims)
        assert read.status_code == 200
