from datetime import UTC, date, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import text

from dossier_service.agencies import cache as agencies
from dossier_service.agencies.projections import upsert_agencies
from shared.events import AgencyChanged
from tests.dossier_service.desk import Desk, at, wish


def agency(code: str, version: int = 1, **over: Any) -> AgencyChanged:
    made = {
        "code": code,
        "version": version,
        "at": datetime(2026, 11, 1, tzinfo=UTC),
        "name": "Ủy ban nhân dân phường",
        "level": "commune",
        "parent": None,
        "valid_from": date(2020, 1, 1),
        "valid_to": None,
        "successor": None,
    }
    return AgencyChanged.model_validate(made | over)


async def test_registry_that_was_heard_of_decides_who_may_be_named(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agencies, "UNKNOWN_S", 0.0)
    assert (await own_desk.try_file(wish(received_by="H26.9"))).status_code == 201
    closed = {"valid_to": date(2026, 11, 15), "successor": "H26.101"}
    async with own_desk.sessions.begin() as session:
        await upsert_agencies(
            session,
            [agency("H26.101"), agency("H26.102", 2, **closed), agency("H26.102", 1)],
        )
    assert (await own_desk.try_file(wish())).status_code == 201
    unknown = await own_desk.try_file(wish(received_by="H26.9"))
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/agency-unknown")
    assert unknown.json()["agencies"] == {"received_by": "H26.9"}
    gone = await own_desk.try_file(wish(helped_by="H26.102"))
    assert (gone.status_code, gone.json()["type"]) == (422, "/problems/agency-closed")
    assert (gone.json()["at"], gone.json()["successor"]) == ("helped_by", "H26.101")
    async with own_desk.sessions.begin() as session:
        await upsert_agencies(session, [agency("H26.103", valid_from=date(2026, 11, 17))])
    own_desk.now = at("11-16 09:00")
    early = await own_desk.try_file(wish(decided_by="H26.103"))
    assert (early.status_code, early.json()["type"]) == (422, "/problems/agency-closed")
    assert "2026-11-17" in early.json()["detail"]
    own_desk.now = at("11-17 00:30")
    assert (await own_desk.try_file(wish(decided_by="H26.103"))).status_code == 201
    own_desk.now = at("11-15 23:30")
    # The last day is a day on which it acts.
    assert (await own_desk.try_file(wish(helped_by="H26.102"))).status_code == 201


async def test_older_word_of_an_agency_changes_nothing(own_desk: Desk) -> None:
    for version, name in ((2, "new"), (1, "old")):
        async with own_desk.sessions.begin() as session:
            await upsert_agencies(session, [agency("H26.101", version, name=name)])
    assert await own_desk.rows("SELECT version, name FROM agency") == [(2, "new")]


async def test_newest_word_in_the_newer_form_of_an_agency_holds(own_desk: Desk) -> None:
    words = [
        agency("000.00.04.G18", 3, name="older form"),
        agency("G18.04", 1, name="registered anew"),
        agency("G18.04", 2, name="changed"),
    ]
    for order in permutations(words):
        for batches in ([order], [[each] for each in order]):
            async with own_desk.sessions.begin() as session:
                await session.execute(text("DELETE FROM agency"))
                for batch in batches:
                    await upsert_agencies(session, batch)
            kept = "SELECT code, version, name FROM agency"
            assert await own_desk.rows(kept) == [("G18.04", 2, "changed")]
