"""Counts hold misses alone, and end with their time."""

from identity_service.settings import GUESS_MEMORY_S
from tests.identity_service.calls import Identity
from tests.identity_service.guessing import ALIVE, Clock, Desk, claim, rows_of, spend, wrong
from tests.support.statements import statements


async def test_share_counts_each_person_that_was_known_once(guarded: Identity) -> None:
    desk = Desk(guarded)
    for body in (claim(ALIVE[6]), claim(ALIVE[7]), wrong(ALIVE[6]), claim(ALIVE[7])):
        await desk.ask(body)
    await desk.ask(wrong(ALIVE[7]))
    rows = await rows_of(guarded, desk)
    about_all = {row.scope: (row.calls, row.misses) for row in rows if not row.person}
    assert about_all == dict.fromkeys(("officer", "client", "agency"), (4, 2))


async def test_match_writes_and_asks_nothing_more(guarded: Identity, clock: Clock) -> None:
    desk = Desk(guarded)
    await desk.ask(claim(ALIVE[0]))
    with statements(guarded.app.state.sessions) as seen:
        for person in ALIVE[:5]:
            assert (await desk.ask(claim(person))).json()["result"] == "MATCH"
    assert seen == []
    assert await rows_of(guarded, desk) == []


async def test_miss_long_ago_counts_no_more(guarded: Identity, clock: Clock) -> None:
    desk, person = Desk(guarded), ALIVE[10]
    await spend(desk, person)
    clock.pass_by(GUESS_MEMORY_S + 1)
    assert (await desk.ask(wrong(person))).json()["differing"] == ["full_name"]
