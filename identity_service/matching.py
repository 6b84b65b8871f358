"""Is this the same person? What a caller says against what the register holds.

The answer names fields, never their values: a caller who guesses learns nothing but that.
"""

import re
from dataclasses import dataclass
from typing import Literal
from unicodedata import combining, normalize

from identity_service.birth_dates import same_birth_date
from identity_service.personal_numbers import Sex
from identity_service.provinces import abolished_codes, commune_provinces, current_codes

Field = Literal["full_name", "birth_date", "sex", "residence_province", "residence_commune"]

# grave, acute, tilde, hook above, dot below: the tones; circumflex, breve and horn make letters.
_TONE = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_MARK = re.compile("[\u0300-\u036f]")
# Letters typed for đ because they look like it, apostrophes (H’Hen), zero-width marks.
_SAME_LETTER = str.maketrans(
    {"ð": "đ", "ɖ": "đ", "’": "'", "ʼ": "'", "\u200b": None, "\ufeff": None}
)


def name_key(name: str) -> str:
    """Equal for two spellings of one name: case, spaces, Unicode form, tone placement, đ.

    Spelling rules differ on which vowel carries the tone in open oa, oe and uy (hòa or hoà, khỏe
    or khoẻ, thúy or thuý; after q, and before a final consonant, they agree). A tone belongs to
    the whole syllable and no two syllables differ by its place alone, so the key moves it to the
    syllable's end; that also covers software which misplaced it elsewhere (hòan).
    """
    letters = normalize("NFD", name.casefold()).translate(_SAME_LETTER)
    return " ".join(map(_tone_last, letters.split()))


def _tone_last(syllable: str) -> str:
    """Of two tones, which only slips of the keyboard make, in the order of Unicode."""
    tones = sorted(_TONE.findall(syllable), key=combining)
    return _TONE.sub("", syllable) + "".join(tones)


def bare_name_key(name: str) -> str:
    """`name_key` without any diacritics: nguyen thi thuy."""
    return _bare(name_key(name))


def _bare(key: str) -> str:
    return _MARK.sub("", key).replace("đ", "d")


@dataclass(frozen=True, slots=True)
class Claim:
    """What the caller says; None is not said.

    `birth_date` is ISO 8601 at its precision (`parse_birth_date`); provinces have two digits, of
    the 63 or of the 34; communes five.
    """

    full_name: str | None = None
    birth_date: str | None = None
    sex: int | None = None
    residence_province: str | None = None
    residence_commune: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the register holds, in the units of `Claim`; the name by its keys."""

    name_key: str
    bare_name_key: str
    birth_date: str | None
    sex: int
    residence_province: str | None
    residence_commune: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Each claimed field is in one of the first three; the last two qualify `agreeing`."""

    agreeing: tuple[Field, ...]
    differing: tuple[Field, ...]
    not_comparable: tuple[Field, ...]  # the register does not say, or the unit no longer exists
    without_diacritics: tuple[Field, ...]  # agree only so
    at_coarser_precision: tuple[Field, ...]  # one side knows less than the other

    @property
    def same_person(self) -> bool:
        """Half of all people share a sex, and thousands a commune: only these two tell who."""
        return not self.differing and {"full_name", "birth_date"} <= set(self.agreeing)


def compare(claim: Claim, recorded: Recorded) -> Comparison:
    agreement: dict[Field, bool | None] = {}
    bare = coarse = False
    if claim.full_name is not None:
        agreement["full_name"], bare = _compare_names(claim.full_name, recorded)
    if claim.birth_date is not None:
        agreement["birth_date"], coarse = _compare_birth_dates(claim.birth_date, recorded)
    if claim.sex is not None:
        known = Sex.UNKNOWN not in (claim.sex, recorded.sex)
        agreement["sex"] = claim.sex == recorded.sex if known else None
    if claim.residence_province is not None or claim.residence_commune is not None:
        agreement |= _compare_residence(claim, recorded)
    return Comparison(
        agreeing=tuple([field for field, agrees in agreement.items() if agrees]),
        differing=tuple([field for field, agrees in agreement.items() if agrees is False]),
        not_comparable=tuple([field for field, agrees in agreement.items() if agrees is None]),
        without_diacritics=("full_name",) if bare else (),
        at_coarser_precision=("birth_date",) if coarse else (),
    )


def _compare_names(claimed: str, recorded: Recorded) -> tuple[bool | None, bool]:
    """Whether they agree, and whether only without diacritics."""
    if not recorded.name_key:
        return None, False
    key = name_key(claimed)
    if key == recorded.name_key:
        return True, False
    agrees = _bare(key) == recorded.bare_name_key
    return agrees, agrees


def _compare_birth_dates(claimed: str, recorded: Recorded) -> tuple[bool | None, bool]:
    """Whether they agree, and whether at a coarser precision than the finer one has."""
    if recorded.birth_date is None:
        return None, False
    agrees = same_birth_date(claimed, recorded.birth_date)
    return agrees, agrees and len(claimed) != len(recorded.birth_date)


def _compare_residence(claim: Claim, recorded: Recorded) -> dict[Field, bool | None]:
    """Provinces by the province of today; communes only where both are communes of today.

    Old communes were cut up and joined: what became of one is not known here, only its province.
    """
    agreement: dict[Field, bool | None] = {}
    claimed, held = _province_today(claim), _province_today(recorded)
    agrees = claimed == held if claimed and held else None
    if claim.residence_province is not None:
        agreement["residence_province"] = agrees
    if claim.residence_commune is not None:
        agreement["residence_commune"] = _communes_agree(claim, recorded, same_province=agrees)
    return agreement


def _communes_agree(claim: Claim, recorded: Recorded, *, same_province: bool | None) -> bool | None:
    if _in_units_of_today(claim) and _in_units_of_today(recorded):
        return claim.residence_commune == recorded.residence_commune
    return False if same_province is False else None


def _province_today(place: Claim | Recorded) -> str | None:
    if place.residence_province is not None:
        return current_codes().get(place.residence_province, place.residence_province)
    return commune_provinces().get(place.residence_commune or "")


def _in_units_of_today(place: Claim | Recorded) -> bool:
    return (
        place.residence_commune in commune_provinces()
        and place.residence_province not in abolished_codes()
    )
