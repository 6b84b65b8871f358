"""Claims about one person wait for each other, but none without end: the gateway gives it up."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from identity_service.persons.sources import Inquiry, Source
from identity_service.persons.sources.source import Finding
from tests.identity_service.calls import Identity, asked
from tests.identity_service.guessing import Desk
from tests.support.waiting import eventually

WAIT = "identity_service.persons.guesses.limiter.MAX_QUEUE_WAIT_S"


@dataclass
class SlowSource:
    """Answers as `inner` once it may."""

    inner: Source
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    async def look_up(self, inquiry: Inquiry) -> Finding:
        self.asked += 1
        await self.answering.wait()
        return await self.inner.look_up(inquiry)


@pytest.fixture
def slow(identity: Identity) -> Iterator[SlowSource]:
    source = SlowSource(identity.app.state.source)
    identity.app.state.source = source
    yield source
    identity.app.state.source = source.inner


async def test_claim_behind_a_slow_one_is_refused_in_time_and_says_when_to_return(
    identity: Identity, slow: SlowSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WAIT, 0.1)
    desk, body = Desk(identity), asked("match")
    first = asyncio.create_task(desk.ask(body))
    await eventually(lambda: slow.asked)
    refused = await asyncio.gather(*(desk.ask(body, client=f"{each}") for each in range(9)))
    assert {each.status_code for each in refused} == {429}
    problem = refused[0].json()
    assert problem["type"] == "/problems/claims-under-way"
    assert "Nothing was compared" in problem["detail"]
    assert str(body["personal_number"]) not in refused[0].text
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert len(refused[0].headers["X-Subject"]) == 64
    slow.answering.set()
    assert (await first).json()["result"] == "MATCH"
    assert (await desk.ask(body)).json()["result"] == "MATCH"
    assert slow.asked == 2


async def test_slow_claims_of_one_agency_keep_no_other_waiting(
    identity: Identity, slow: SlowSource
) -> None:
    desk, body = Desk(identity), asked("match")
    storm = [asyncio.create_task(desk.ask(body)) for _ in range(5)]
    await eventually(lambda: slow.asked)
    elsewhere = asyncio.create_task(Desk(identity).ask(body))
    await eventually(lambda: slow.asked == 2)
    slow.answering.set()
    answers = await asyncio.gather(elsewhere, *storm)
    assert {each.json()["result"] for each in answers} == {"MATCH"}
