"""Compare a caller's claim about a person with the record of the register.

The result names fields, never their values; the package `guesses` limits repeated claims.
"""

from dataclasses import dataclass
from typing import Literal

from identity_service.agencies.provinces import (
    list_abolished_codes,
    map_communes_to_provinces,
    map_current_codes,
)
from identity_service.persons.personal_numbers import Sex
from shared.codes.persons.birth_date import agree_at_coarser_precision
from shared.codes.persons.folding import drop_accents, fold_accented

ClaimField = Literal["full_name", "birth_date", "sex", "residence_province", "residence_commune"]
# Half of all people share a sex, and thousands a commune: only these two identify a person.
IDENTIFYING: frozenset[ClaimField] = frozenset({"full_name", "birth_date"})


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold the data that a caller claims; None is not claimed.

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
    """Hold the record of the register in the units of `Claim`, with the name as its keys."""

    name_key: str
    bare_name_key: str
    birth_date: str | None
    sex: int
    residence_province: str | None
    residence_commune: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Each claimed field is in one of the first three; the last two qualify `agreeing`."""

    agreeing: tuple[ClaimField, ...]
    differing: tuple[ClaimField, ...]
    # The record has no value, or the unit no longer exists or never did.
    not_comparable: tuple[ClaimField, ...]
    without_diacritics: tuple[ClaimField, ...]  # agree only without them
    at_coarser_precision: tuple[ClaimField, ...]  # one side is less precise
    # The claim agrees and proves too little: see `_is_imprecise`.
    unproven: bool = False

    @property
    def knows_person(self) -> bool:
        return set(self.agreeing) >= IDENTIFYING and not self.unproven

    @property
    def same_person(self) -> bool:
        return self.knows_person and not self.differing


def compare_claim(claim: Claim, recorded: Recorded) -> Comparison:
    agreement: dict[ClaimField, bool | None] = {}
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
        unproven=_is_imprecise(claim, recorded, bare_name=bare),
    )


def _is_imprecise(claim: Claim, recorded: Recorded, *, bare_name: bool) -> bool:
    """Return whether an agreeing claim gives less of the birth date than the register holds.

    The personal number contains the year, so a year proves nothing. Where the register holds only
    the year, the name alone is the proof, with the accents that it is recorded with.
    """
    claimed, held = claim.birth_date, recorded.birth_date
    if claimed is None or held is None:
        return False
    if len(held) == len("yyyy"):
        return bare_name and recorded.name_key != recorded.bare_name_key
    return len(claimed) < len(held)


def _compare_names(claimed: str, recorded: Recorded) -> tuple[bool | None, bool]:
    """Return whether they agree, and whether only without diacritics.

    Two names with different accents differ. The bare form is compared only where one side has no
    accents at all.
    """
    if not recorded.name_key:
        return None, False
    key = fold_accented(claimed)
    if key == recorded.name_key:
        return True, False
    bare = drop_accents(key)
    one_is_bare = key == bare or recorded.name_key == recorded.bare_name_key
    agrees = one_is_bare and bare == recorded.bare_name_key
    return agrees, agrees


def _compare_birth_dates(claimed: str, recorded: Recorded) -> tuple[bool | None, bool]:
    """Return whether they agree, and whether only at the coarser of two precisions."""
    if recorded.birth_date is None:
        return None, False
    agrees = agree_at_coarser_precision(claimed, recorded.birth_date)
    return agrees, agrees and len(claimed) != len(recorded.birth_date)


def _compare_residence(claim: Claim, recorded: Recorded) -> dict[ClaimField, bool | None]:
    """Compare provinces by the province of today, and communes only where both exist today.

    Old communes were split and merged: only their province of today is known here.
    """
    agreement: dict[ClaimField, bool | None] = {}
    claimed, held = _find_current_province(claim), _find_current_province(recorded)
    agrees = claimed == held if claimed and held else None
    if claim.residence_province is not None:
        agreement["residence_province"] = agrees
    if claim.residence_commune is not None:
        agreement["residence_commune"] = _compare_communes(claim, recorded, same_province=agrees)
    return agreement


def _compare_communes(
    claim: Claim, recorded: Recorded, *, same_province: bool | None
) -> bool | None:
    if _is_in_current_units(claim) and _is_in_current_units(recorded):
        return claim.residence_commune == recorded.residence_commune
    return False if same_province is False else None


def _find_current_province(place: Claim | Recorded) -> str | None:
    """Return the code of today's province, or None where the place has none or an unknown one."""
    if place.residence_province is not None:
        return map_current_codes().get(place.residence_province)
    return map_communes_to_provinces().get(place.residence_commune or "")


def _is_in_current_units(place: Claim | Recorded) -> bool:
    return (
        place.residence_commune in map_communes_to_provinces()
        and place.residence_province not in list_abolished_codes()
    )
