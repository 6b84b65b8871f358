"""Parse the 12-digit personal number `PPP C YY RRRRRR` (TT 59/2021/TT-BCA Điều 4).

It holds the province or country of birth registration, century and sex, year of birth, and six
further digits. There is no check digit. No message here repeats the number.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from shared.texts.translatable import Translatable

LENGTH = 12
_FIRST_CENTURY = 1900
_LAST_YEAR = 2399


class Sex(IntEnum):
    """Number the sexes as the insurance service does; the population database publishes no list."""

    UNKNOWN = 0
    MALE = 1
    FEMALE = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class PersonalNumber:
    """Hold the data that a personal number contains, without the number."""

    sex: Sex
    birth_year: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the data of a number; raise ValueError where no person can have it."""
        if len(text) != LENGTH:
            raise ValueError(
                Translatable(
                    "a personal number has {expected} digits, this has {count}",
                    expected=LENGTH,
                    count=len(text),
                )
            )
        if not (text.isascii() and text.isdigit()):
            raise ValueError(Translatable("a personal number has digits only"))
        century_and_sex = int(text[3])
        century = _FIRST_CENTURY + century_and_sex // 2 * 100
        sex = Sex.FEMALE if century_and_sex % 2 else Sex.MALE
        return cls(sex, century + int(text[4:6]))

    def contradicts_sex(self, sex: int) -> bool:
        """Return whether the number states another sex; unknown and other never contradict it."""
        return sex in (Sex.MALE, Sex.FEMALE) and sex != self.sex

    def contradicts_birth_date(self, birth_date: str) -> bool:
        """Return whether the number states another year than `birth_date`, ISO 8601."""
        return int(birth_date[:4]) != self.birth_year


def compose_number(prefix: str, sex: Sex, birth_year: int, serial: int) -> str:
    """Return the number of a person, male or female, born 1900-2399; `serial` is 0-999,999."""
    if sex not in (Sex.MALE, Sex.FEMALE) or not _FIRST_CENTURY <= birth_year <= _LAST_YEAR:
        raise ValueError(
            Translatable("a personal number says male or female, and a year from 1900 to 2399")
        )
    century_and_sex = (birth_year - _FIRST_CENTURY) // 100 * 2 + (sex == Sex.FEMALE)
    return f"{prefix}{century_and_sex}{birth_year % 100:02d}{serial:06d}"
