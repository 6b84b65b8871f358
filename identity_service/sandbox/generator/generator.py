"""Draw households and give their members names, numbers and homes."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple, TypeVar

from identity_service.agencies.provinces import commune_provinces, old_provinces
from identity_service.persons.personal_numbers import Sex, compose
from identity_service.sandbox.generator.flaws import FLAWS
from identity_service.sandbox.generator.households import REGISTER_YEAR, Member, members
from identity_service.sandbox.generator.person import Person, Status
from identity_service.sandbox.generator.population import Population, spread

# Lower serials are those of personas.
FIRST_SERIAL = 1_000
_SERIALS = 1_000_000 - FIRST_SERIAL
# Coprime to the number of serials: steps of it visit each serial once, in no visible order.
_SERIAL_STEP = 617_251
_POORLY_KNOWN_BEFORE = 1960
_PER_THOUSAND = 1_000
_DAYS = tuple(f"{date(2025, 1, 1) + timedelta(day):-%m-%d}" for day in range(365))
_AGES = 130

Choice = TypeVar("Choice")


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
        self._kinds = spread(population.households)
        self._surnames = spread(population.surnames)
        self._middle_names = {
            Sex.MALE: spread(population.male_middle_names),
            Sex.FEMALE: spread(population.female_middle_names),
        }
        self._given_names = {
            Sex.MALE: spread(population.male_given_names),
            Sex.FEMALE: spread(population.female_given_names),
        }
        self._deceased = [population.deceased_per_thousand(age) for age in range(_AGES)]
        self._flaw_limits = tuple(
            zip(accumulate(population.flaws.values()), population.flaws, strict=True)
        )
        self._flawed = sum(population.flaws.values())
        self._communes = tuple(commune_provinces().items())
        self._prefixes = tuple(province.prefix for province in old_provinces())
        self._prefixes_of = {
            current: tuple(p.prefix for p in old_provinces() if p.current_code == current)
            for current in {province.current_code for province in old_provinces()}
        }
        self._issued: dict[str, int] = {}

    def people(self) -> Iterator[Person]:
        """Yield the people of household after household, without end."""
        while True:
            home = self._home()
            for member in members(self._draw(self._kinds), self._random):
                person = self._person(member, home)
                flaw = self._random() * _PER_THOUSAND
                yield person if flaw >= self._flawed else self._spoil(person, flaw)

    def _draw(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self._random() * len(choices))]

    def _happens(self, per_thousand: int) -> bool:
        return self._random() * _PER_THOUSAND < per_thousand

    def _home(self) -> _Home:
        commune, province = self._draw(self._communes)
        prefixes = self._prefixes_of[province]
        surname = self._draw(self._surnames)
        if len(prefixes) > 1 and self._happens(self._population.old_province_residence):
            abolished = [prefix[1:] for prefix in prefixes if prefix[1:] != province]
            return _Home(self._draw(abolished), None, prefixes, surname)
        return _Home(province, commune, prefixes, surname)

    def _person(self, member: Member, home: _Home) -> Person:
        sex, birth_year = member.sex, member.birth_year
        at_home = self._happens(self._population.born_in_home_province)
        prefix = self._draw(home.birth_prefixes if at_home else self._prefixes)
        surname = home.head_surname if member.head_surname else self._draw(self._surnames)
        middle, given = self._draw(self._middle_names[sex]), self._draw(self._given_names[sex])
        return Person(
            self._number(prefix, sex, birth_year),
            f"{surname} {middle} {given}",
            sex.value,
            self._birth_date(birth_year),
            home.province,
            home.commune,
            self._status(birth_year),
        )

    def _number(self, prefix: str, sex: Sex, birth_year: int) -> str:
        """Return an unused number; serials are counted for each prefix, sex and year."""
        cohort = compose(prefix, sex, birth_year, 0)
        issued = self._issued.get(cohort, 0)
        if issued == _SERIALS:
            raise OverflowError("no personal number is left for one province, sex and year")
        self._issued[cohort] = issued + 1
        start = int(cohort[:6]) * 7_919
        serial = FIRST_SERIAL + (start + issued * _SERIAL_STEP) % _SERIALS
        return f"{cohort[:6]}{serial:06d}"

    def _birth_date(self, year: int) -> str:
        day = f"{year}{self._draw(_DAYS)}"
        if year >= _POORLY_KNOWN_BEFORE:
            return day
        known = self._random() * _PER_THOUSAND - self._population.known_by_year_only
        if known < 0:
            return day[:4]
        return day[:7] if known < self._population.known_by_month_only else day

    def _status(self, birth_year: int) -> Status:
        if self._happens(self._deceased[REGISTER_YEAR - birth_year]):
            return "DECEASED"
        return "LOCKED" if self._happens(self._population.locked) else "ALIVE"

    def _spoil(self, person: Person, flaw: float) -> Person:
        """Apply the flaw whose share contains `flaw`, which is below the sum of all shares."""
        return FLAWS[next(name for limit, name in self._flaw_limits if flaw < limit)](person)
