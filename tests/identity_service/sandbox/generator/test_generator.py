from collections import Counter
from itertools import groupby, islice
from math import gcd
from unicodedata import is_normalized

import pytest
from pydantic import ValidationError

from identity_service.agencies.provinces import (
    list_abolished_codes,
    map_communes_to_provinces,
    map_current_codes,
    read_old_provinces,
)
from identity_service.persons.matching import Recorded, compare_claim
from identity_service.persons.personal_numbers import PersonalNumber, Sex
from identity_service.persons.result import VerificationResult
from identity_service.sandbox.generator import Person, generate_people
from identity_service.sandbox.generator.flaws import FLAWS, place_tone_late
from identity_service.sandbox.generator.generator import (
    _SERIAL_STEP,
    _SERIALS,
    FIRST_SERIAL,
    Generator,
)
from identity_service.sandbox.generator.population import Flaw, Population, read_population
from identity_service.sandbox.personas import Persona, read_personas
from shared.codes.persons.birth_date import parse_birth_date
from shared.codes.persons.folding import fold_accented, fold_bare

COUNT = 20_000
PREFIXES = {province.prefix for province in read_old_provinces()}


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return list(generate_people(COUNT, seed=7))


def clean(count: int) -> list[Person]:
    without_flaws = read_population().model_copy(update={"flaws": {}})
    return list(islice(Generator(without_flaws, seed=7).draw_people(), count))


def recorded(person: Person) -> Recorded:
    return Recorded(
        fold_accented(person.full_name),
        fold_bare(person.full_name),
        person.birth_date,
        person.sex,
        person.residence_province,
        person.residence_commune,
    )


def test_one_seed_is_one_register(people: list[Person]) -> None:
    assert list(generate_people(1_000, seed=7)) == people[:1_000]
    assert list(generate_people(1_000, seed=8)) != people[:1_000]


def test_numbers_are_unique_valid_and_no_personas(people: list[Person]) -> None:
    assert len({person.personal_number for person in people}) == COUNT
    for person in people:
        assert person.personal_number[:3] in PREFIXES
        assert int(person.personal_number[6:]) >= FIRST_SERIAL


def test_serials_of_one_province_sex_and_year_never_repeat() -> None:
    generator = Generator(read_population(), seed=1)
    numbers = {generator._issue_number("001", Sex.MALE, 1990) for _ in range(20_000)}
    assert len(numbers) == 20_000
    # A step prime to the number of serials comes back only after it has visited all of them.
    assert gcd(_SERIAL_STEP, _SERIALS) == 1


def test_more_people_than_serials_are_refused() -> None:
    generator = Generator(read_population(), seed=1)
    generator._issued["001090000000"] = 1_000_000 - FIRST_SERIAL
    with pytest.raises(OverflowError, match="no personal number is left"):
        generator._issue_number("001", Sex.MALE, 1990)


def test_clean_records_contradict_nothing() -> None:
    for person in clean(5_000):
        number = PersonalNumber.parse(person.personal_number)
        assert not number.contradicts_sex(person.sex)
        assert not number.contradicts_birth_date(person.birth_date)
        assert parse_birth_date(person.birth_date) == person.birth_date
        assert is_normalized("NFC", person.full_name)
        assert person.full_name == " ".join(person.full_name.split())


def test_households_share_a_home(people: list[Person]) -> None:
    # Neighbours in the list seldom live in one of 3,321 communes by chance.
    homes = groupby(people, lambda person: (person.residence_province, person.residence_commune))
    sizes = [len(list(household)) for _, household in homes]
    assert 2 <= COUNT / len(sizes) <= 4
    assert max(sizes) > 4


def test_residence_is_a_commune_of_today_or_a_province_of_before(people: list[Person]) -> None:
    old = [person for person in people if person.residence_commune is None]
    assert all(person.residence_province in list_abolished_codes() for person in old)
    # 60 per thousand of the households in the 23 joined provinces: a few per cent of all
    assert 0.02 < len(old) / COUNT < 0.06
    for person in people:
        if person.residence_commune is not None:
            assert (
                map_communes_to_provinces()[person.residence_commune] == person.residence_province
            )


def test_surnames_are_as_frequent_as_among_the_people(people: list[Person]) -> None:
    surnames = Counter(person.full_name.split()[0] for person in people if person.full_name)
    expected = read_population().surnames["Nguyễn"] / sum(read_population().surnames.values())
    assert surnames["Nguyễn"] / COUNT == pytest.approx(expected, abs=0.03)


def test_the_old_are_often_known_by_year_only() -> None:
    old = [person for person in clean(COUNT) if int(person.personal_number[4:6]) < 60]
    old = [person for person in old if person.personal_number[3] in "01"]
    share = sum(len(person.birth_date) == len("1957") for person in old) / len(old)
    assert share == pytest.approx(read_population().known_by_year_only / 1_000, abs=0.03)


def test_share_of_flaws_is_as_stated(people: list[Person]) -> None:
    stated = read_population().flaws
    contradicted = sum(
        PersonalNumber.parse(person.personal_number).contradicts_sex(person.sex)
        for person in people
    )
    assert contradicted / COUNT == pytest.approx(stated["sex_contradicts_number"] / 1_000, abs=1e-3)
    spaced = sum("  " in person.full_name for person in people)
    assert spaced / COUNT == pytest.approx(stated["extra_spaces"] / 1_000, abs=4e-3)


def test_every_flaw_has_a_share_and_a_share_each_flaw() -> None:
    assert set(FLAWS) == set(read_population().flaws)


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaw_spoils_a_record(flaw: Flaw) -> None:
    person = clean(1)[0]._replace(full_name="Đỗ Thị Thúy", birth_date="1957-12-03")
    assert FLAWS[flaw](person) != person


@pytest.mark.parametrize(
    "flaw", ["other_tone_placement", "extra_spaces", "decomposed_unicode", "foreign_letter"]
)
def test_flaw_of_spelling_leaves_the_name_the_same(flaw: Flaw) -> None:
    person = clean(1)[0]._replace(full_name="Đỗ Thị Thúy")
    assert fold_accented(FLAWS[flaw](person).full_name) == fold_accented("Đỗ Thị Thúy")


def test_tone_moves_in_open_syllables_only() -> None:
    assert place_tone_late("Hòa Khỏe Thúy Quý Hoàn Toại") == "Hoà Khoẻ Thuý Quý Hoàn Toại"


def test_each_answer_has_a_persona() -> None:
    assert {persona.answer for persona in read_personas().values()} == set(VerificationResult)


def test_personas_have_numbers_of_their_own() -> None:
    numbers = [persona.personal_number for persona in read_personas().values()]
    assert len(set(numbers)) == len(numbers)
    assert all(int(number[6:]) < FIRST_SERIAL for number in numbers)
    assert all(number[:3] in PREFIXES for number in numbers)


@pytest.mark.parametrize("persona", read_personas().values(), ids=read_personas().keys())
def test_persona_lives_in_a_commune_of_its_province(persona: Persona) -> None:
    assert map_communes_to_provinces()[persona.residence_commune] == persona.residence_province
    assert map_current_codes()[persona.residence_province] == persona.residence_province


@pytest.mark.parametrize("persona", read_personas().values(), ids=read_personas().keys())
def test_persona_is_answered_as_it_says(persona: Persona) -> None:
    person = persona.person
    if persona.has_fixed_result or persona.answer is VerificationResult.NOT_FOUND:
        assert person is None
        return
    assert person is not None
    comparison = compare_claim(persona.claim, recorded(person))
    assert comparison.differing == persona.differing
    expected = {"DECEASED": VerificationResult.DECEASED, "LOCKED": VerificationResult.LOCKED}.get(
        person.status,
        VerificationResult.MATCH if comparison.same_person else VerificationResult.MISMATCH,
    )
    assert persona.answer is expected


def test_persona_without_diacritics_agrees_only_so() -> None:
    persona = read_personas()["without_diacritics"]
    assert persona.person is not None
    assert compare_claim(persona.claim, recorded(persona.person)).without_diacritics == (
        "full_name",
    )


def test_year_only_elder_agrees_at_the_coarser_precision() -> None:
    persona = read_personas()["year_only_elder"]
    assert persona.person is not None
    answer = compare_claim(persona.claim, recorded(persona.person))
    assert answer.at_coarser_precision == ("birth_date",)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"sex": 2}, "contradicts"),
        ({"birth_date": "1991-05-14"}, "contradicts"),
        ({"differing": ["sex"]}, "names the differing fields"),
        ({"nickname": "An"}, "Extra inputs"),
    ],
)
def test_persona_that_does_not_fit_is_refused(change: dict[str, object], wrong: str) -> None:
    fits = read_personas()["match"].model_dump()
    with pytest.raises(ValidationError, match=wrong):
        Persona.model_validate(fits | change)


def test_unknown_flaw_is_refused() -> None:
    with pytest.raises(ValidationError, match="flaws"):
        Population.model_validate(read_population().model_dump() | {"flaws": {"misspelt": 1}})
