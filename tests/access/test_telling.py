"""Who tells of a dossier may tell of what its right reaches, and learns of nothing else."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.access.model import Filed, Limits, agencies, filed, limits, tried
from tests.sync_service.national import EXTERNAL, PROGRESS, National, new_code, row

ALL = Limits()
NARROW = Limits(frozenset({"H26"}), frozenset({"1.001193"}))
WITHIN = Filed("1.001193", "H26", "H26")


@tried(40)
@given(limits, agencies, filed, st.none() | st.tuples(filed, st.booleans()))
@example(NARROW, "H26", WITHIN, (replace(WITHIN, received_by="H29", decided_by="H29"), True))
@example(NARROW, "H26", WITHIN, (replace(WITHIN, procedure="2.000815"), True))
@example(NARROW, "H26", WITHIN, (replace(WITHIN, procedure="2.000815"), False))
@example(NARROW, "H26", WITHIN, (WITHIN, True))
async def test_a_client_tells_only_of_what_its_right_reaches(
    view: National, right: Limits, issuer: str, claim: Filed, already: tuple[Filed, bool] | None
) -> None:
    """Of the dossier as the row has it, and as it stands already, told by itself or another."""
    stands, is_mine = already or (None, False)
    before = pushed(new_code(issuer), "08:30", stands or claim)
    if stands:
        by = EXTERNAL if is_mine else "another-client"
        assert await view.outcomes(before, by=by, right=ALL.claims) == ["accepted"]
    row_of_now = pushed(before["code"], "09:30", claim)
    [answer] = await view.push(row_of_now, right=right.claims)
    found = answer["reason"] or answer["outcome"]
    assert found == becomes_of(right, issuer, claim, stands, is_mine=is_mine)
    changed = found in {"accepted", "updated"}
    shows = await view.get(before["code"])
    assert shows.status_code == (200 if stands or changed else 404)
    if shows.is_success:
        now = claim if changed else stands
        assert now
        assert shows.json()["received_by"]["code"] == now.received_by


def pushed(code: str, time: str, dossier: Filed) -> dict[str, Any]:
    at = datetime.fromisoformat(f"2026-11-02T{time}:00+07:00").isoformat()
    return row(code=code, source_time=at, **vars(dossier))


def becomes_of(
    right: Limits, issuer: str, claim: Filed, stands: Filed | None, *, is_mine: bool
) -> str:
    if not right.reaches(issuer):
        return "agency_not_covered"
    if beyond := outside(right, claim):
        return beyond
    if stands is None:
        return "accepted"
    return (outside(right, stands) or "updated") if is_mine else "other_source"


def outside(right: Limits, dossier: Filed) -> str | None:
    """To help with a dossier is to see it, not to tell of it."""
    if not (right.reaches(dossier.received_by) or right.reaches(dossier.decided_by)):
        return "agency_not_covered"
    return None if right.allows(dossier.procedure) else "procedure_not_covered"


@tried(30)
@given(limits, agencies, filed, st.booleans())
@example(NARROW, "H26", replace(WITHIN, received_by="H29", decided_by="H29"), True)
@example(NARROW, "H26", replace(WITHIN, procedure="2.000815"), False)
async def test_progress_of_a_dossier_outside_the_right_is_as_of_one_that_nobody_knows(
    view: National, right: Limits, issuer: str, stands: Filed, is_mine: bool
) -> None:
    known, unknown = (pushed(new_code(issuer), "08:30", stands) for _ in range(2))
    by = EXTERNAL if is_mine else "another-client"
    assert await view.outcomes(known, by=by, right=ALL.claims) == ["accepted"]
    later = {"status": 5, "source_time": "2026-11-02T10:00:00+07:00"}
    answers = [
        (await view.push({"code": each["code"], **later}, to=PROGRESS, right=right.claims))[0]
        for each in (known, unknown)
    ]
    found, nobodys = ({**each, "code": None} for each in answers)
    assert nobodys["reason"] == (None if right.reaches(issuer) else "agency_not_covered")
    if not right.reaches(issuer) or outside(right, stands):
        assert found == nobodys
    else:
        assert (found["reason"] or found["outcome"]) == ("updated" if is_mine else "other_source")
    is_told = found["outcome"] == "updated"
    assert (await view.read(known["code"]))["status"] == (5 if is_told else 4)
