"""A caller that does not know a person learns nothing of that person, however it asks."""

import asyncio
from datetime import date, timedelta
from functools import partial
from itertools import cycle, permutations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from identity_service.persons.result import VerificationResult
from identity_service.sandbox.generator.person import Person
from identity_service.sandbox.personas import read_personas
from identity_service.settings import Settings
from shared.codes.persons.person_hash import hash_person
from tests.identity_service.calls import Identity, asked
from tests.identity_service.conftest import serving
from tests.identity_service.guessing import (
    ALIVE,
    REAL,
    Attacker,
    Clock,
    Desk,
    claim,
    moving_clock,
    rows_of,
    spend,
    wrong,
)
from tests.support.factories import TestAuthority

NAMED_AT_MOST = REAL["guesses_of_agency"]
AIMS = ("sex", "residence_province", "birth_date", "full_name")
# A record of such a person has been found; which state it is in is for those who know the person.
STATES = ("deceased", "locked", "ambiguous", "not_yet_replicated")
SPENT = "/problems/guesses-spent"


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
    desk, person = Desk(guarded), read_personas()["match"]
    other = {"sex": 2, "residence": {"province": "79"}}
    stranger = await desk.ask(asked("match", full_name="Người Nào Khác", **other))
    assert stranger.json()["differing"] == ["full_name"]
    knows = await desk.ask(asked("match", **other))
    assert knows.json()["differing"] == ["sex", "residence_province"]
    assert person.answer is VerificationResult.MATCH


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
    assert refused.headers["X-Subject"] == hash_person(person.personal_number, bounded.hash_key)


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
    assert event["person"] == hash_person(person.personal_number, bounded.hash_key)
    assert event["misses"] == REAL["guesses_of_officer"]
    assert person.personal_number not in str(event)
    assert told() == before + 1


async def test_mismatch_persona_shows_the_refusal(guarded: Identity) -> None:
    desk = Desk(guarded)
    answers = [await desk.ask(asked("mismatch")) for _ in range(6)]
    assert [each.status_code for each in answers] == [200] * 5 + [429]


async def test_source_that_is_away_is_no_miss(guarded: Identity) -> None:
    desk = Desk(guarded)
    answers = [await desk.ask(asked("source_unavailable")) for _ in range(5)]
    assert {each.json()["result"] for each in answers} == {"SOURCE_UNAVAILABLE"}
