"""A caller that does not know a person learns nothing of that person, however it asks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from functools import partial
from itertools import cycle, permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy import text

from deploy.run_sync import run_apart
from identity_service.persons.guesses.budgets import Count, Holder, Scope, is_spent, read_budgets
from identity_service.persons.guesses.counts import forget_guesses
from identity_service.persons.result import Answer
from identity_service.sandbox.generator import generate
from identity_service.sandbox.generator.person import Person
from identity_service.sandbox.personas import personas
from identity_service.seed import seed
from identity_service.settings import GUESS_MEMORY_SECONDS, Settings
from shared.codes.person import person_hash
from shared.runtime.migrations import upgrade
from tests.conftest import Databases
from tests.identity_service.calls import Identity, asked
from tests.identity_service.conftest import BUDGETS, make_settings, serving
from tests.identity_service.guessing import Attacker, Clock, Desk, claim, moving_clock
from tests.support.factories import TestAuthority
from tests.support.statements import statements

SEEDED = 50
REAL = {name: Settings.model_fields[name].default for name in BUDGETS}
NAMED_AT_MOST = REAL["guesses_of_agency"]
AIMS = ("sex", "residence_province", "birth_date", "full_name")
# A record of such a person has been found; which state it is in is for those who know the person.
STATES = ("deceased", "locked", "ambiguous", "not_yet_replicated")
SPENT = "/problems/guesses-spent"


def known(person: Person) -> bool:
    born = person.birth_date or ""
    return len(born) == len("yyyy-mm-dd") and person.personal_number[4:6] == born[2:4]


PEOPLE = [person for person in generate(SEEDED, seed=1) if known(person)]
ALIVE = [person for person in PEOPLE if person.status == "ALIVE"]


@pytest.fixture(scope="session")
def bounded(postgres: Databases) -> Settings:
    """Of a database with the budgets of production."""
    made = make_settings(postgres.database_url("identity_service"), people=SEEDED, **REAL)

    async def prepare() -> None:
        await seed(made)

    upgrade(made)
    run_apart(prepare())
    return made


@pytest.fixture(scope="session")
async def guarded(bounded: Settings, authority: TestAuthority) -> AsyncIterator[Identity]:
    async with serving(bounded, authority) as identity:
        yield identity


@pytest.fixture
async def clock(guarded: Identity) -> AsyncIterator[Clock]:
    async with moving_clock(guarded) as clock:
        yield clock


def wrong(person: Person, **over: object) -> dict[str, object]:
    return claim(person, full_name="Không Rõ Tên", **over)


async def spend(desk: Desk, person: Person) -> None:
    for _ in range(REAL["guesses_of_officer"]):
        response = await desk.ask(wrong(person))
        assert response.json()["differing"] == ["full_name"]


@pytest.mark.parametrize("person", ALIVE[:3], ids=range(3))
@pytest.mark.parametrize("officers", [1, 6])
async def test_attacker_with_a_number_learns_no_field(
    guarded: Identity, clock: Clock, person: Person, officers: int
) -> None:
    names = [f"Người {letter}" for letter in "ABCDEFGHIJ"] + [person.full_name]
    turns = cycle([("one", f"officer-{each}") for each in range(officers)])
    attacker = Attacker(Desk(guarded), clock, person.personal_number, turns)
    assert await attacker.attack(AIMS, names) == {}
    assert attacker.named <= NAMED_AT_MOST


@given(
    person=st.sampled_from(ALIVE),
    aims=st.sampled_from(list(permutations(AIMS, 2))),
    turns=st.lists(
        st.tuples(st.sampled_from(["one", "two", "three"]), st.sampled_from("abcdefgh")),
        min_size=1,
        max_size=12,
    ),
    pause=st.sampled_from([0, 3_600, 86_400]),
)
@examples(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_answers_that_name_fields_are_bounded_however_the_questions_are_spread(
    *,
    guarded: Identity,
    clock: Clock,
    person: Person,
    aims: tuple[str, ...],
    turns: list[tuple[str, str]],
    pause: int,
) -> None:
    attacker = Attacker(Desk(guarded), clock, person.personal_number, cycle(turns))
    clock.pass_by(pause)
    learned = await attacker.attack(aims, [person.full_name])
    assert attacker.named <= NAMED_AT_MOST
    assert learned.keys().isdisjoint({"sex", "residence_province"})
    # One after each wait, and those are a day long in the end.
    assert attacker.judged <= NAMED_AT_MOST + 25


@pytest.mark.parametrize("persona", STATES)
async def test_stranger_is_answered_as_for_anybody_else(guarded: Identity, persona: str) -> None:
    desk = Desk(guarded)
    named = await desk.ask(asked(persona, full_name="Người Nào Khác"))
    born = await desk.ask(asked(persona, birth_date="1955-05-05"))
    both = await desk.ask(asked(persona, full_name="Người Nào Khác", birth_date="1955-05-05"))
    assert [(each.json()["result"], each.json()["differing"]) for each in (named, born, both)] == [
        ("MISMATCH", ["full_name"]),
        ("MISMATCH", ["birth_date"]),
        ("MISMATCH", ["full_name", "birth_date"]),
    ]
    assert {tuple(each.json()) for each in (named, born, both)} == {tuple(named.json())}


@pytest.mark.parametrize("persona", ["match", *STATES[:3]])
@pytest.mark.parametrize("digits", [4, 7])
async def test_year_that_stands_in_the_number_proves_nothing(
    guarded: Identity, persona: str, digits: int
) -> None:
    desk, born = Desk(guarded), str(asked(persona)["birth_date"])
    answer = await desk.ask(asked(persona, birth_date=born[:digits], sex=None, residence=None))
    told = {name: value for name, value in answer.json().items() if name != "as_of"}
    assert told == {
        "result": "AMBIGUOUS",
        "differing": [],
        "without_diacritics": [],
        "at_coarser_precision": ["birth_date"],
        "not_comparable": [],
    }
    rows = await rows_of(guarded, desk)
    assert {row.misses for row in rows} == {1}


async def test_sex_and_residence_are_compared_for_those_who_know_the_person(
    guarded: Identity,
) -> None:
    desk, person = Desk(guarded), personas()["match"]
    other = {"sex": 2, "residence": {"province": "79"}}
    stranger = await desk.ask(asked("match", full_name="Người Nào Khác", **other))
    assert stranger.json()["differing"] == ["full_name"]
    knows = await desk.ask(asked("match", **other))
    assert knows.json()["differing"] == ["sex", "residence_province"]
    assert person.answer is Answer.MATCH


async def test_spent_budget_refuses_right_and_wrong_alike_and_longer_each_time(
    guarded: Identity, clock: Clock
) -> None:
    desk, person = Desk(guarded), ALIVE[0]
    await spend(desk, person)
    for wait in (60, 120, 240):
        for body in (claim(person), wrong(person)):
            refused = await desk.ask(body)
            assert refused.status_code == 429
            assert refused.json()["type"] == SPENT
            assert refused.headers["Retry-After"] == str(wait)
            assert person.personal_number not in refused.text
        clock.pass_by(wait)
        late = await desk.ask(wrong(person))
        assert (late.json()["result"], late.json()["differing"]) == ("MISMATCH", [])


async def test_refusal_tells_the_ledger_whom_it_was_about(
    guarded: Identity, bounded: Settings
) -> None:
    desk, person = Desk(guarded), ALIVE[1]
    await spend(desk, person)
    refused = await desk.ask(claim(person))
    assert refused.headers["X-Subject"] == person_hash(person.personal_number, bounded.hash_key)


async def test_match_does_not_give_the_budget_back(guarded: Identity) -> None:
    desk, person = Desk(guarded), ALIVE[2]
    for _ in range(REAL["guesses_of_officer"]):
        assert (await desk.ask(claim(person))).json()["result"] == "MATCH"
        assert (await desk.ask(wrong(person))).json()["result"] == "MISMATCH"
    assert (await desk.ask(wrong(person))).status_code == 429


async def test_budget_is_of_the_officer_and_a_wider_one_of_the_agency(guarded: Identity) -> None:
    desk, person = Desk(guarded), ALIVE[3]
    await spend(desk, person)
    assert (await desk.ask(claim(person), officer="officer-2")).json()["result"] == "MATCH"
    for client in ("one", "two", "one"):
        told = await desk.ask(wrong(person), officer="officer-2", client=client)
        assert told.json()["differing"] == ["full_name"]
    for client, officer in (("one", "officer-3"), ("three", "officer-1")):
        refused = await desk.ask(claim(person), officer=officer, client=client)
        assert refused.status_code == 429
    elsewhere = await Desk(guarded).ask(claim(person))
    assert elsewhere.json()["result"] == "MATCH"


async def test_claims_at_the_same_time_are_judged_one_after_the_other(guarded: Identity) -> None:
    desk, person = Desk(guarded), ALIVE[4]
    born = date.fromisoformat(str(person.birth_date))
    days = [(born + timedelta(days=each)).isoformat() for each in range(12, 0, -1)]
    answers = await asyncio.gather(
        *(desk.ask(claim(person, birth_date=day)) for day in [*days, born.isoformat()])
    )
    judged = [answer for answer in answers if answer.status_code == 200]
    assert len(judged) == REAL["guesses_of_officer"]
    assert {answer.json()["result"] for answer in judged} == {"MISMATCH"}


async def test_budget_that_another_process_saw_spent_is_spent(
    guarded: Identity, bounded: Settings, authority: TestAuthority
) -> None:
    async with serving(bounded, authority) as second, moving_clock(guarded, second) as clock:
        desk, person = Desk(guarded), ALIVE[5]
        beside = Desk(second, agency=desk.agency)
        assert (await beside.ask(claim(person))).json()["result"] == "MATCH"
        await spend(desk, person)
        # Within the second in which it has not looked: a wrong claim is counted, not answered.
        assert (await beside.ask(wrong(person))).status_code == 429
        clock.pass_by(1)
        third = Desk(second, agency=desk.agency)
        assert (await third.ask(claim(person))).status_code == 429


async def test_numbers_in_sequence_end_the_search(guarded: Identity) -> None:
    desk = Desk(guarded)
    bodies = [asked("not_found", personal_number=f"0792000{each:05d}") for each in range(50, 60)]
    statuses = [(await desk.ask(body)).status_code for body in bodies]
    assert statuses == [200] * 6 + [429] * 4
    # Another officer of the client goes on, until the client has asked enough of them.
    assert (await desk.ask(bodies[-1], officer="officer-2")).status_code == 200


async def test_search_that_misses_most_of_the_time_ends(guarded: Identity, clock: Clock) -> None:
    desk = Desk(guarded)
    bodies = [
        asked("not_found", personal_number=f"07920{each:02d}{each * 997:05d}") for each in range(25)
    ]
    answers = [await desk.ask(body) for body in bodies]
    statuses = [each.status_code for each in answers]
    allowed = REAL["misses_of_officer"]
    assert statuses == [200] * allowed + [429] * (25 - allowed)
    assert (await desk.ask(claim(ALIVE[0]))).status_code == 429
    clock.pass_by(int(answers[-1].headers["Retry-After"]))
    assert (await desk.ask(claim(ALIVE[0]))).json()["result"] == "MATCH"


@pytest.mark.parametrize(
    ("scope", "calls", "misses", "sequential", "spent"),
    [
        (Scope.OFFICER_PERSON, 5, 5, 0, True),
        (Scope.OFFICER_PERSON, 4, 4, 0, False),
        (Scope.AGENCY_PERSON, 8, 8, 0, True),
        (Scope.OFFICER, 400, 20, 0, False),  # a desk that makes honest mistakes all day
        (Scope.OFFICER, 60, 20, 0, False),
        (Scope.OFFICER, 59, 20, 0, True),
        (Scope.OFFICER, 19, 19, 4, False),
        (Scope.OFFICER, 100, 5, 5, True),
        (Scope.OFFICER, 100_000, 99, 0, False),
        (Scope.OFFICER, 100_000, 100, 0, True),
        (Scope.CLIENT, 100_000, 999, 29, False),
        (Scope.CLIENT, 100_000, 1_000, 0, True),
        (Scope.AGENCY, 1_999, 400, 0, True),
        (Scope.AGENCY, 2_000, 400, 59, False),
        (Scope.AGENCY, 100_000, 2_000, 0, True),
        (Scope.AGENCY, 100_000, 60, 60, True),
        (Scope.CLIENT, 999, 200, 0, True),
        (Scope.CLIENT, 1_000, 200, 0, False),
        (Scope.CLIENT, 199, 199, 0, False),
    ],
)
def test_budget_is_spent_by_misses_and_their_share(
    *, bounded: Settings, scope: Scope, calls: int, misses: int, sequential: int, spent: bool
) -> None:
    count = Count(Holder(scope, "client"), calls, misses, sequential, 0, None)
    assert is_spent(count, read_budgets(bounded)[scope]) is spent


async def test_share_counts_each_person_that_was_known_once(guarded: Identity) -> None:
    desk = Desk(guarded)
    for body in (claim(ALIVE[6]), claim(ALIVE[7]), wrong(ALIVE[6]), claim(ALIVE[7])):
        await desk.ask(body)
    await desk.ask(wrong(ALIVE[7]))
    rows = await rows_of(guarded, desk)
    about_all = {row.scope: (row.calls, row.misses) for row in rows if not row.person}
    assert about_all == dict.fromkeys(("officer", "client", "agency"), (4, 2))


@pytest.mark.parametrize(
    ("scope", "clients"), [("client", ["one"]), ("agency", ["one", "two", "three"])]
)
async def test_matches_of_one_person_buy_no_misses(
    guarded: Identity, bounded: Settings, authority: TestAuthority, scope: str, clients: list[str]
) -> None:
    few = bounded.model_copy(update={"misses_of_client": 12, "misses_of_agency": 15})
    async with serving(few, authority) as identity:
        desk, misses = Desk(identity), 0
        for each in range(40):
            by = {"officer": f"officer-{each // 3}", "client": clients[each // 3 % len(clients)]}
            for _ in range(5):
                known = await desk.ask(claim(ALIVE[0]), **by)
            missed = await desk.ask(
                asked("not_found", personal_number=f"07920{each:02d}{each * 997:05d}"), **by
            )
            if 429 in {known.status_code, missed.status_code}:
                break
            misses += 1
        assert misses == {"client": few.misses_of_client, "agency": few.misses_of_agency}[scope]


async def rows_of(identity: Identity, desk: Desk) -> list[Any]:
    query = text("SELECT * FROM guess_count WHERE caller = :agency OR caller LIKE :clients")
    async with identity.app.state.sessions() as session:
        values = {"agency": desk.agency, "clients": f"{desk.agency.lower()}-%"}
        return list((await session.execute(query, values)).all())


async def test_match_writes_and_asks_nothing_more(guarded: Identity, clock: Clock) -> None:
    desk = Desk(guarded)
    await desk.ask(claim(ALIVE[0]))
    with statements(guarded.app.state.sessions) as seen:
        for person in ALIVE[:5]:
            assert (await desk.ask(claim(person))).json()["result"] == "MATCH"
    assert seen == []
    assert await rows_of(guarded, desk) == []


async def test_spent_budget_raises_an_alarm_without_personal_data(
    guarded: Identity, bounded: Settings
) -> None:
    told = partial(
        REGISTRY.get_sample_value, "guess_budgets_spent_total", {"scope": "officer-person"}
    )
    before = told() or 0
    desk, person = Desk(guarded), ALIVE[8]
    await spend(desk, person)
    [event] = await guarded.events(f"{desk.agency.lower()}-one")
    assert event["type"] == "identity.verification.guessed.v1"
    assert event["officer"] == "officer-1"
    assert event["agency"] == desk.agency
    assert event["scope"] == "officer-person"
    assert event["person"] == person_hash(person.personal_number, bounded.hash_key)
    assert event["misses"] == REAL["guesses_of_officer"]
    assert person.personal_number not in str(event)
    assert told() == before + 1


async def test_counts_are_forgotten_when_their_time_is_over(guarded: Identity) -> None:
    desk, person = Desk(guarded), ALIVE[9]
    await desk.ask(wrong(person))
    async with guarded.app.state.sessions.begin() as session:
        await session.execute(
            text(
                "UPDATE guess_count SET expires_at = now() - interval '1 s' WHERE caller = :agency"
            ),
            {"agency": desk.agency},
        )
        await forget_guesses(session)
    left = {row.scope for row in await rows_of(guarded, desk)}
    assert left == {"client", "officer", "officer-person"}  # those of the agency are gone


async def test_miss_long_ago_counts_no_more(guarded: Identity, clock: Clock) -> None:
    desk, person = Desk(guarded), ALIVE[10]
    await spend(desk, person)
    clock.pass_by(GUESS_MEMORY_SECONDS + 1)
    assert (await desk.ask(wrong(person))).json()["differing"] == ["full_name"]


async def test_mismatch_persona_shows_the_refusal(guarded: Identity) -> None:
    desk = Desk(guarded)
    answers = [await desk.ask(asked("mismatch")) for _ in range(6)]
    assert [each.status_code for each in answers] == [200] * 5 + [429]


async def test_source_that_is_away_is_no_miss(guarded: Identity) -> None:
    desk = Desk(guarded)
    answers = [await desk.ask(asked("source_unavailable")) for _ in range(5)]
    assert {each.json()["result"] for each in answers} == {"SOURCE_UNAVAILABLE"}
