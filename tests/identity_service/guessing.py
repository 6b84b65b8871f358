"""An attacker that has the API and the numbers of people, and a clock that tests move."""

import calendar
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from httpx import Response
from sqlalchemy import text

from identity_service.agencies.provinces import map_current_codes
from identity_service.persons.personal_numbers import PersonalNumber
from identity_service.sandbox.generator import generate_people
from identity_service.sandbox.generator.person import Person
from identity_service.settings import Settings
from shared.web.dependencies import read_now
from tests.identity_service.calls import VERIFY, Identity
from tests.identity_service.conftest import BUDGETS

PATIENCE = timedelta(days=14)
_AGENCIES = count(1)


@dataclass
class Clock:
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@asynccontextmanager
async def moving_clock(*services: Identity) -> AsyncIterator[Clock]:
    clock = Clock()

    async def tell() -> datetime:
        return clock.at

    for identity in services:
        identity.app.dependency_overrides[read_now] = tell
    yield clock
    for identity in services:
        del identity.app.dependency_overrides[read_now]


@dataclass
class Desk:
    """Officers of clients of one agency that no other desk belongs to."""

    identity: Identity
    agency: str = field(default_factory=lambda: f"X{next(_AGENCIES)}")
    asked: int = 0

    async def ask(
        self, body: Mapping[str, Any], *, officer: str = "officer-1", client: str = "one"
    ) -> Response:
        self.asked += 1
        return await self.identity.call(
            f"POST {VERIFY}",
            by=(f"{self.agency.lower()}-{client}", self.agency),
            json=body,
            headers={"X-Officer": officer},
        )


def claim(person: Person, **over: object) -> dict[str, Any]:
    """All that is true of the person, but for what `over` says."""
    return {
        "personal_number": person.personal_number,
        "full_name": person.full_name,
        "birth_date": person.birth_date,
    } | over


@dataclass
class Attacker:
    """Tries values until one is answered unlike all others; waits where it is told to.

    It has the number alone; `turns` says which officer of which client asks next.
    """

    desk: Desk
    clock: Clock
    number: str
    turns: Iterator[tuple[str, str]]
    judged: int = 0
    named: int = 0

    def __post_init__(self) -> None:
        self.ends_at = self.clock.at + PATIENCE

    async def attack(self, aims: Iterable[str], names: Sequence[str]) -> dict[str, object]:
        """Return all that it has learned, by its field; `aims` are the fields in their order."""
        learned = {aim: await self._learn(aim, names) for aim in aims}
        return {aim: value for aim, value in learned.items() if value is not None}

    async def _learn(self, aim: str, names: Sequence[str]) -> object | None:
        if aim == "sex":
            return await self._find(aim, ((sex, {"sex": sex}) for sex in (1, 2)))
        if aim == "residence_province":
            return await self._find(
                aim, ((code, {"residence": {"province": code}}) for code in _provinces())
            )
        if aim == "full_name":
            return await self._find(aim, ((name, {"full_name": name}) for name in names))
        year = PersonalNumber.parse(self.number).birth_year
        months = [f"{year}-{month:02d}" for month in range(1, 13)]
        found = await self._find(aim, ((month, {"birth_date": month}) for month in months))
        for month in [found] if found else months:
            last = calendar.monthrange(year, int(str(month)[5:]))[1]
            days = [f"{month}-{day:02d}" for day in range(1, last + 1)]
            if day := await self._find(aim, ((each, {"birth_date": each}) for each in days)):
                return day
        return None

    async def _find(
        self, name: str, candidates: Iterable[tuple[object, dict[str, object]]]
    ) -> object | None:
        """Return the one candidate that is answered as if it agreed while another is not."""
        agreeing, differing = [], 0
        for candidate, over in candidates:
            answer = await self._ask(over)
            if answer is None:
                return None
            if name in answer["differing"]:
                differing += 1
            elif answer["differing"] or answer["result"] == "MATCH":
                agreeing.append(candidate)
            if len(agreeing) == 1 and differing:
                return agreeing[0]
        return None

    async def _ask(self, over: Mapping[str, object]) -> dict[str, Any] | None:
        body = {
            "personal_number": self.number,
            "full_name": "Không Rõ Tên",
            "birth_date": "1850-01-01",
            **over,
        }
        while self.clock.at < self.ends_at:
            client, officer = next(self.turns)
            response = await self.desk.ask(body, officer=officer, client=client)
            if response.status_code == 200:
                self.judged += 1
                answer: dict[str, Any] = response.json()
                self.named += bool(answer["differing"])
                return answer
            assert response.status_code == 429, response.text
            self.clock.pass_by(int(response.headers["Retry-After"]))
        return None


def _provinces() -> list[str]:
    return sorted(set(map_current_codes().values()))


SEEDED = 50
REAL = {name: Settings.model_fields[name].default for name in BUDGETS}


def known(person: Person) -> bool:
    born = person.birth_date or ""
    return len(born) == len("yyyy-mm-dd") and person.personal_number[4:6] == born[2:4]


PEOPLE = [person for person in generate_people(SEEDED, seed=1) if known(person)]
ALIVE = [person for person in PEOPLE if person.status == "ALIVE"]


def wrong(person: Person, **over: object) -> dict[str, object]:
    return claim(person, full_name="Không Rõ Tên", **over)


async def spend(desk: Desk, person: Person) -> None:
    for _ in range(REAL["guesses_of_officer"]):
        response = await desk.ask(wrong(person))
        assert response.json()["differing"] == ["full_name"]


async def rows_of(identity: Identity, desk: Desk) -> list[Any]:
    query = text("SELECT * FROM guess_count WHERE caller = :agency OR caller LIKE :clients")
    async with identity.app.state.sessions() as session:
        values = {"agency": desk.agency, "clients": f"{desk.agency.lower()}-%"}
        return list((await session.execute(query, values)).all())
