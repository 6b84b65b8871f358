"""Draw households and give their members names, numbers and homes."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple

from identity_service.agencies.provinces import map_communes_to_provinces, read_old_provinces
from identity_service.persons.personal_numbers import Sex, compose_number
from identity_service.sandbox.generator.flaws import FLAWS
from identity_service.sandbox.generator.households import REGISTER_YEAR, Member, draw_members
from identity_service.sandbox.generator.person import Person, Status
from identity_service.sandbox.generator.population import Choice, Population, spread_weights

# Lower serials are those of personas.
FIRST_SERIAL = 1_000
_SERIALS = 1_000_000 - FIRST_SERIAL
# Coprime to the number of serials: steps of it visit each serial once, in no visible order.
_SERIAL_STEP = 617_251
_POORLY_KNOWN_BEFORE = 1960
_PER_THOUSAND = 1_000
_DAYS = tuple(f"{date(2025, 1, 1) + timedelta(day):-%m-%d}" for day in range(365))
_AGES = 130


class _Home(NamedTuple):
    province: str
    commune: str | None
    birth_prefixes: Sequence[str]  # of the old provinces that make up the home province
    head_surname: str


class Generator:
    """Generate people from one stream of random numbers: a seed always gives the same people."""

    def __init__(self, population: Population, *, seed: int) -> None:
        self._population = population
        self._random = Random(seed).random  # noqa: S311 -- repeatable, not secret
        self._kinds = spread_weights(population.households)
        self._surnames = spread_weights(population.surnames)
        self._middle_names = {
            Sex.MALE: spread_weights(population.male_middle_names),
            Sex.FEMALE: spread_weights(population.female_middle_names),
        }
        self._given_names = {
            Sex.MALE: spread_weights(population.male_given_names),
            Sex.FEMALE: spread_weights(population.female_given_names),
        }
        self._deceased = [population.deceased_per_thousand(age) for age in range(_AGES)]
        self._flaw_limits = tuple(
            zip(accumulate(population.flaws.values()), population.flaws, strict=True)
        )
        self._flawed = sum(population.flaws.values())
        self._communes = tuple(map_communes_to_provinces().items())
        self._prefixes = tuple(province.prefix for province in read_old_provinces())
        self._prefixes_of = {
            current: tuple(p.prefix for p in read_old_provinces() if p.current_code == current)
            for current in {province.current_code for province in read_old_provinces()}
        }
        self._issued: dict[str, int] = {}

    def draw_people(self) -> Iterator[Person]:
        """Yield the people of household after household, without end."""
        while True:
            home = self._draw_home()
            for member in draw_members(self._draw_one(self._kinds), self._random):
                person = self._draw_person(member, home)
                flaw = self._random() * _PER_THOUSAND
                yield person if flaw >= self._flawed else self._apply_flaw(person, flaw)

    def _draw_one(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self._random() * len(choices))]

    def _is_drawn(self, per_thousand: int) -> bool:
        return self._random() * _PER_THOUSAND < per_thousand

    def _draw_home(self) -> _Home:
        commune, province = self._draw_one(self._communes)
        prefixes = self._prefixes_of[province]
        surname = self._draw_one(self._surnames)
        if len(prefixes) > 1 and self._is_drawn(self._population.old_province_residence):
            abolished = [prefix[1:] for prefix in prefixes if prefix[1:] != province]
            return _Home(self._draw_one(abolished), None, prefixes, surname)
        return _Home(province, commune, prefixes, surname)

    def _draw_person(self, member: Member, home: _Home) -> Person:
        sex, birth_year = member.sex, member.birth_year
        at_home = self._is_drawn(self._population.born_in_home_province)
        prefix = self._draw_one(home.birth_prefixes if at_home else self._prefixes)
        surname = home.head_surname if member.head_surname else self._draw_one(self._surnames)
        middle_name = self._draw_one(self._middle_names[sex])
        given_name = self._draw_one(self._given_names[sex])
        return Person(
            self._issue_number(prefix, sex, birth_year),
            f"{surname} {middle_name} {given_name}",
            sex.value,
            self._draw_birth_date(birth_year),
            home.province,
            home.commune,
            self._draw_status(birth_year),
        )

    def _issue_number(self, prefix: str, sex: Sex, birth_year: int) -> str:
        """Return an unused number; serials are counted for each prefix, sex and year."""
        cohort = compose_number(prefix, sex, birth_year, 0)
        issued = self._issued.get(cohort, 0)
        if issued == _SERIALS:
            raise OverflowError("no personal number is left for one province, sex and year")
        self._issued[cohort] = issued + 1
        start = int(cohort[:6]) * 7_919
        serial = FIRST_SERIAL + (start + issued * _SERIAL_STEP) % _SERIALS
        return f"{cohort[:6]}{serial:06d}"

    def _draw_birth_date(self, year: int) -> str:
        day = f"{year}{self._draw_one(_DAYS)}"
        if year >= _POORLY_KNOWN_BEFORE:
            return day
        known = self._random() * _PER_THOUSAND - self._population.known_by_year_only
        if known < 0:
            return day[:4]
        return day[:7] if known < self._population.known_by_month_only else day

    def _draw_status(self, birth_year: int) -> Status:
        if self._is_drawn(self._deceased[REGISTER_YEAR - birth_year]):
            return "DECEASED"
        return "LOCKED" if self._is_drawn(self._population.locked) else "ALIVE"

    def _apply_flaw(self, person: Person, flaw: float) -> Person:
        """Apply the flaw whose share contains `flaw`, which is below the sum of all shares."""
        return FLAWS[next(name for limit, name in self._flaw_limits if flaw < limit)](person)
