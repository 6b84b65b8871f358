"""Apply the typical flaws of real records to a clean one."""

import re
from collections.abc import Callable
from unicodedata import normalize

from identity_service.sandbox.generator.person import Person
from identity_service.sandbox.generator.population import Flaw
from shared.codes.persons.folding import fold_bare

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_LATE_PLACEMENT = {
    normalize("NFC", first + tone + second): normalize("NFC", first + second + tone)
    for first, second in ("oa", "oe", "uy")
    for tone in _TONES
}
# Only the open syllable has two spellings; after q the u belongs to the consonant.
_EARLY = re.compile(rf"(?<![qQ])({'|'.join(_LATE_PLACEMENT)})(?!\w)")
_WHOLE_DATE = 10
_LAST_MONTH = 12


def place_tone_late(name: str) -> str:
    """Move the tone mark to the second vowel: hòa -> hoà, khỏe -> khoẻ, thúy -> thuý."""
    return _EARLY.sub(lambda match: _LATE_PLACEMENT[match[1]], name)


def _drop_diacritics(person: Person) -> Person:
    return person._replace(full_name=fold_bare(person.full_name).title())


def _cut_to_year(person: Person) -> Person:
    return person._replace(birth_date=person.birth_date[:4])


def _exchange_day_and_month(person: Person) -> Person:
    year, month, day = person.birth_date[:4], person.birth_date[5:7], person.birth_date[8:]
    if len(person.birth_date) < _WHOLE_DATE or int(day) > _LAST_MONTH:
        return person
    return person._replace(birth_date=f"{year}-{day}-{month}")


def _shift_birth_year(person: Person) -> Person:
    year = int(person.birth_date[:4]) - 1
    # 28 February exists in every year.
    rest = person.birth_date[4:].replace("-02-29", "-02-28")
    return person._replace(birth_date=f"{year}{rest}")


FLAWS: dict[Flaw, Callable[[Person], Person]] = {
    "other_tone_placement": lambda p: p._replace(full_name=place_tone_late(p.full_name)),
    "no_diacritics": _drop_diacritics,
    "extra_spaces": lambda p: p._replace(full_name=p.full_name.replace(" ", "  ") + " "),
    "decomposed_unicode": lambda p: p._replace(full_name=normalize("NFD", p.full_name)),
    # Icelandic eth looks like Đ and is another letter.
    "foreign_letter": lambda p: p._replace(full_name=p.full_name.replace("Đ", "Ð")),
    "year_only": _cut_to_year,
    "day_and_month_exchanged": _exchange_day_and_month,
    "sex_contradicts_number": lambda p: p._replace(sex=3 - p.sex),
    "birth_year_contradicts_number": _shift_birth_year,
}
