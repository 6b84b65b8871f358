"""Draw the members of a household, without names and numbers yet."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from identity_service.persons.personal_numbers import Sex
from identity_service.sandbox.generator.population import HouseholdKind

# Ages are computed for the beginning of this year.
REGISTER_YEAR = 2026
_ADULT = 18
_YOUNGEST_MOTHER, _OLDEST_MOTHER = 19, 39
_LEAVES_HOME = 30
_OLDEST = 98
_MAX_CHILDREN = 4
_FATHERS_AMONG_SINGLE_PARENTS = 0.25
_MEN_ALONE = 0.5
_BOYS = 0.528  # 112 to 100 girls, as births have been counted in recent years
_GRANDFATHERS = 0.35  # women live longer

Random = Callable[[], float]


class Member(NamedTuple):
    sex: Sex
    birth_year: int
    head_surname: bool  # bears the surname of the household's head


def draw_members(kind: HouseholdKind, random: Random) -> Iterator[Member]:
    """Yield the head first, then spouse, children, and a parent of the head."""
    if kind == "alone":
        yield _draw_single(random)
        return
    youngest, oldest = (22, 85) if kind == "couple" else (24, 58)
    head_age = youngest + int(random() * (oldest - youngest))
    # A child bears its father's surname: where there are two parents, the father is the head.
    father = kind != "parent_with_children" or random() < _FATHERS_AMONG_SINGLE_PARENTS
    head_sex = Sex.MALE if father else Sex.FEMALE
    mother_age = head_age
    yield Member(head_sex, REGISTER_YEAR - 1 - head_age, True)
    if kind != "parent_with_children":
        mother_age = max(_ADULT, head_age + 2 - int(random() * 7))
        yield Member(Sex.FEMALE, REGISTER_YEAR - 1 - mother_age, False)
    if kind != "couple":
        yield from _draw_children(mother_age, random)
    if kind == "three_generations":
        yield _draw_grandparent(head_age, random)


def _draw_single(random: Random) -> Member:
    age = _ADULT + int(random() * (_OLDEST - _ADULT))
    sex = Sex.MALE if random() < _MEN_ALONE else Sex.FEMALE
    return Member(sex, REGISTER_YEAR - 1 - age, True)


def _draw_children(mother_age: int, random: Random) -> Iterator[Member]:
    for _ in range(1 + int(random() * random() * _MAX_CHILDREN)):
        mother_then = _YOUNGEST_MOTHER + int(random() * (_OLDEST_MOTHER - _YOUNGEST_MOTHER))
        age = mother_age - mother_then
        if 0 <= age < _LEAVES_HOME:
            sex = Sex.MALE if random() < _BOYS else Sex.FEMALE
            yield Member(sex, REGISTER_YEAR - 1 - age, True)


def _draw_grandparent(head_age: int, random: Random) -> Member:
    """Return a parent of the head; only a father shares the surname of the head."""
    age = min(_OLDEST, head_age + 20 + int(random() * 15))
    sex = Sex.MALE if random() < _GRANDFATHERS else Sex.FEMALE
    return Member(sex, REGISTER_YEAR - 1 - age, sex == Sex.MALE)
