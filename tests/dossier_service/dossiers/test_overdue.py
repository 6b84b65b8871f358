"""The list of overdue dossiers, the dossier itself and the national view say the same of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import pytest

from dossier_service.catalogue.own_procedures import read_own_procedures
from dossier_service.catalogue.procedure import Procedure
from dossier_service.catalogue.use_cases import publish_procedures
from shared import events
from shared.web.dependencies import read_now
from sync_service.national_view import projections
from sync_service.settings import Settings
from tests.conftest import Databases
from tests.dossier_service.desk import BIRTH, DEATH, DOSSIERS, SEAL, Desk, at, utc
from tests.support.factories import TestAuthority
from tests.sync_service import conftest as sync
from tests.sync_service.national import National

# Each line is a moment and an act, or a moment and whether the dossier is overdue at it. The first
# act files a dossier of three working days: from Monday 30 November 2026, 9:00, to Thursday 3
# December, 9:00.
FILED: Final = ("11-30 09:00", "file")
Course = Sequence[tuple[str, str | int | bool]]

COURSES: Final[Mapping[str, Course]] = {
    "open": [FILED, ("12-03 23:59", False), ("12-04 00:01", True)],
    "ended in time": [FILED, ("12-02 09:00", 8), ("12-20 10:00", False)],
    "ended on the due day, after the hour": [
        FILED,
        ("12-03 16:00", 8),
        ("12-03 17:00", False),
        ("12-20 10:00", False),
    ],
    "ended late": [FILED, ("12-07 10:00", True), ("12-08 09:00", 8), ("12-20 10:00", False)],
    "stopped, and taken up again": [
        FILED,
        ("12-02 09:00", 8),
        ("12-08 09:00", False),
        ("12-08 10:00", 4),
        ("12-08 11:00", True),
    ],
    "waits for papers since before the due day": [
        FILED,
        ("12-02 09:00", 5),
        ("12-04 10:00", False),
        ("12-20 10:00", False),
    ],
    "waits for papers since the due day, after the hour": [
        FILED,
        ("12-03 16:00", 5),
        ("12-20 10:00", False),
    ],
    "waits for papers since after the due day": [
        FILED,
        ("12-04 09:00", 5),
        ("12-04 10:00", True),
        ("12-20 10:00", True),
    ],
    # Six days of waiting: due on 9 December.
    "waited for papers in the past": [
        FILED,
        ("12-02 09:00", 5),
        ("12-08 09:00", 2),
        ("12-09 16:00", False),
        ("12-10 10:00", True),
    ],
    # Three days of waiting move Thursday 3 December to Sunday, so to Monday.
    "asked late, supplemented, no longer late": [
        FILED,
        ("12-04 09:00", 5),
        ("12-05 09:00", True),
        ("12-07 09:00", 4),
        ("12-07 16:00", False),
        ("12-08 10:00", True),
    ],
    "papers requested twice": [
        FILED,
        ("12-01 09:00", 5),
        ("12-01 10:00", False),
        ("12-01 11:00", 2),
        ("12-01 12:00", False),
        ("12-01 14:00", 5),
        ("12-01 15:00", True),
        ("12-20 10:00", True),
        ("12-20 11:00", 8),
        ("12-21 10:00", False),
    ],
    "waits for payment": [
        FILED,
        ("12-01 09:00", 6),
        ("12-03 10:00", False),
        ("12-04 10:00", True),
    ],
    "not received": [("11-30 09:00", "file online"), ("12-20 10:00", False)],
    "refused": [("11-30 09:00", "file online"), ("12-01 09:00", 3), ("12-20 10:00", False)],
    "waits for papers before reception": [
        ("11-30 09:00", "file online"),
        ("12-01 09:00", 5),
        ("12-20 10:00", False),
    ],
    # Received on Wednesday 2 December: due on Monday 7.
    "papers requested before and after reception": [
        ("11-30 09:00", "file online"),
        ("12-01 09:00", 5),
        ("12-02 09:00", 2),
        ("12-02 10:00", False),
        ("12-03 09:00", 5),
        ("12-03 10:00", False),
        ("12-20 10:00", False),
    ],
    "papers requested before reception, and late after it": [
        ("11-30 09:00", "file online"),
        ("12-01 09:00", 5),
        ("12-02 09:00", 2),
        ("12-08 09:00", 5),
        ("12-08 10:00", True),
    ],
    "without a due date of its own, by the longest term": [
        ("11-30 09:00", "file without a due date"),
        ("12-03 10:00", False),
        ("12-04 10:00", True),
        ("12-05 09:00", 5),
        ("12-05 10:00", True),
    ],
    "without any term": [
        ("11-30 09:00", "file without a term"),
        ("12-20 09:00", 5),
        ("12-20 10:00", False),
    ],
}
FILINGS: Final[Mapping[str, dict[str, Any]]] = {
    "file": {"procedure": SEAL},
    "file online": {"procedure": SEAL, "channel": 2},
    "file without a due date": {"procedure": DEATH},
    "file without a term": {"procedure": BIRTH},
}
EVENTS: Final = {
    each.event_type: each
    for each in (
        events.DossierFiled,
        events.DossierMoved,
        events.DossierProgressed,
        events.FeePaid,
        events.ResultIssued,
    )
}


@pytest.fixture
def view_settings(postgres: Databases) -> Settings:
    return sync.make_settings(postgres)


@pytest.fixture
async def view(
    view_settings: Settings,
    authority: TestAuthority,
    own_desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[National]:
    """A national view that goes by the clock of the desk."""
    monkeypatch.setattr(projections, "utc_now", lambda: utc(own_desk.now))
    async with sync.serving(view_settings, authority) as national:
        national.app.dependency_overrides[read_now] = lambda: utc(own_desk.now)
        yield national


def with_terms(code: str, *, desk_days: int | None, online_days: int | None) -> Procedure:
    content = read_own_procedures()[code].model_dump(mode="json")
    content["channels"] = [
        {"channel": channel, "duration": days, "unit": days and "working_day"}
        for channel, days in ((1, desk_days), (2, online_days))
    ]
    return Procedure.model_validate(content)


async def publish_terms(desk: Desk) -> None:
    async with desk.sessions.begin() as session:
        terms = (
            with_terms(DEATH, desk_days=None, online_days=3),
            with_terms(BIRTH, desk_days=None, online_days=None),
        )
        await publish_procedures(session, terms, now=utc(desk.now))


async def act(desk: Desk, dossier: Mapping[str, Any] | None, what: str | int) -> dict[str, Any]:
    if isinstance(what, str):
        return await desk.file(**FILINGS[what])
    assert dossier is not None
    return await desk.move(dossier, what, reason="applicant-request")


async def listed(desk: Desk, *, overdue: bool) -> list[str]:
    answer = await desk.call(f"GET {DOSSIERS}", params={"overdue": overdue, "limit": 500})
    assert answer.status_code == 200, answer.text
    return [row["code"] for row in answer.json()["items"]]


async def is_told_overdue(desk: Desk, code: str) -> bool:
    """Return what the dossier says itself: from a day on it counts as late."""
    since = (await desk.read(code)).json()["overdue_from"]
    return since is not None and date.fromisoformat(since) <= desk.now.date()


async def tell(view: National, desk: Desk, code: str) -> None:
    told = await desk.events(code)
    await view.project(*(EVENTS[each.pop("type")].model_validate(each) for each in told))


async def test_list_dossier_and_national_view_agree_through_every_course(
    own_desk: Desk, view: National
) -> None:
    await publish_terms(own_desk)
    for name, course in COURSES.items():
        dossier: dict[str, Any] | None = None
        for moment, what in course:
            own_desk.now = at(moment)
            if not isinstance(what, bool):
                dossier = await act(own_desk, dossier, what)
                continue
            assert dossier is not None
            code = dossier["code"]
            await tell(view, own_desk, code)
            said = {
                "the list": code in await listed(own_desk, overdue=True),
                "the list of the others": code not in await listed(own_desk, overdue=False),
                "the dossier": await is_told_overdue(own_desk, code),
                "the national list": code in await view.codes(overdue=True, limit=500),
                "the national dossier": (await view.read(code))["overdue"],
            }
            assert said == dict.fromkeys(said, what), f"{name}, at {moment}"


async def test_list_without_the_filter_holds_all(own_desk: Desk) -> None:
    own_desk.now = at("11-30 09:00")
    codes = {(await own_desk.file(procedure=SEAL))["code"] for _ in range(2)}
    own_desk.now = at("12-20 09:00")
    answer = await own_desk.call(f"GET {DOSSIERS}")
    assert {row["code"] for row in answer.json()["items"]} == codes
