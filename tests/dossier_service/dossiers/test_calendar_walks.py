"""A changed calendar moves no due date that it does not touch, on any walk of a dossier."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from shared.codes.enums import ENDED, Channel, DossierStatus
from shared.rules.deadlines import Term, Unit
from shared.rules.statuses import first_status, permitted_statuses
from tests.conftest import MORE
from tests.dossier_service.desk import SEAL, Desk, at
from tests.dossier_service.dossiers.test_deadline_oracle import (
    ICT,
    expected_due,
    expected_extension,
)
from tests.dossier_service.dossiers.test_jobs import announced, file_at_ministry, recalculate


def walks(first: DossierStatus, longest: int) -> list[tuple[DossierStatus, ...]]:
    """Return every walk through the table that leaves status 5 and has not ended."""
    found: list[tuple[DossierStatus, ...]] = []
    open_ends: list[tuple[DossierStatus, ...]] = [(first,)]
    while open_ends:
        walk = open_ends.pop()
        if DossierStatus.SUPPLEMENT_REQUESTED in walk[:-1] and walk[-1] not in ENDED:
            found.append(walk)
        if len(walk) <= longest:
            before = walk[-2] if len(walk) > 1 else None
            following = first_moves(walk[-1])
            if before:
                is_received = DossierStatus.RECEIVED in walk
                following = permitted_statuses(walk[-1], before=before, is_received=is_received)
            open_ends += [(*walk, to) for to in sorted(following)]
    return found


def first_moves(first: DossierStatus) -> frozenset[DossierStatus]:
    """Return the statuses that a dossier can enter from the one in which it was filed."""
    return permitted_statuses(first, before=DossierStatus.RETURNED)


async def go(desk: Desk, walk: Sequence[DossierStatus], chance: Random, **over: Any) -> str:
    """File a dossier, lead it along the walk with pauses of up to four days; return its code."""
    dossier = await file_at_ministry(desk, at("12-29 10:00"), procedure=SEAL, **over)
    for to in walk[1:]:
        desk.now += timedelta(minutes=chance.choice([1, 40, 700, 1_500, 3_000, 5_700]))
        if to is DossierStatus.PROCESSED:
            dossier = await desk.issue(dossier, code="KQ.G01.000031", title="Dấu")
        dossier = await desk.move(dossier, to, reason="applicant-request")
    return str(dossier["code"])


def expected_end(received_at: datetime, steps: Sequence[dict[str, Any]]) -> datetime:
    """Reckon three working days from reception, moved on by each wait since then."""
    due = expected_due(received_at, Term(3, Unit.WORKING_DAY))
    for asked, left in pairwise(step for step in steps if step["act"] == "moved"):
        began, ended = (datetime.fromisoformat(s["at"]).astimezone(ICT) for s in (asked, left))
        if asked["to_status"] == DossierStatus.SUPPLEMENT_REQUESTED and ended > received_at:
            due = expected_extension(due, max(began, received_at), ended)
    return due


@pytest.mark.timeout(600)
async def test_unchanged_calendar_changes_nothing_on_any_walk_through_the_table(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The post has no term of its own here, so that the longest of the procedure counts."""
    timed = read_own_procedures()[SEAL].model_dump(mode="json")
    for each in timed["channels"]:
        if each["channel"] == Channel.POST:
            each["duration"], each["unit"] = None, None
    own_desk.now = at("12-28 08:00")
    async with own_desk.sessions.begin() as session:
        await publish_procedures(session, [Procedure.model_validate(timed)], now=own_desk.now)
    chance = Random(5)
    for channel in Channel:
        # Every short walk, and some of the long ones.
        short, long = (walks(first_status(channel), most) for most in (3, 6))
        for walk in [*short, *chance.sample(long, 2 * MORE)]:
            await go(own_desk, walk, chance, channel=channel)
    stood = "SELECT code, version, due_at, latest_at, received_at FROM dossier ORDER BY code"
    before = await own_desk.rows(stood)
    ends = {code: due or latest for code, _, due, latest, received in before if received}
    for code, _, _, _, received_at in before:
        if received_at:
            own = expected_end(received_at.astimezone(ICT), await own_desk.history(code))
            assert ends[code] == own
    assert any(latest for *_, latest, _ in before)
    with announced(monkeypatch):
        assert await recalculate(own_desk) == len(ends) > 20
    assert await own_desk.rows(stood) == before
