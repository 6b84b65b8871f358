"""An independent reading of which codes are an agency's or a procedure's and what a right covers.

Nothing of the product is used but the functions under test. The rules are read here a second time:

- QCVN 102:2016 writes an agency as `VVV.ZZ.YY.MXX`, lowest level first; QĐ 20/2020/QĐ-TTg writes it
  as `MXX.YY.ZZ.VVV` without the groups of zeros at its end, in at most 35 characters, which eight
  groups of three digits fill; more groups are no code here.
- A right to an agency covers that agency and those below it.
- A localised procedure is a national code, a dot and an agency. A right to a procedure covers it
  alone; a right to a national one covers its localised forms too.
- Neighbouring groups with twelve digits together may be a person's number, and are no code.
"""

import random
import string

import pytest

from shared.codes.agency import CodeError, is_agency_code, qcvn_agency_code
from shared.codes.coverage import canonical_codes, is_within, list_covering_codes
from shared.codes.procedure import parse_procedure_code

CASES = 2_500
MAX_LEVELS_BELOW = 8
DIGITS = set(string.digits)
CAPITALS = set(string.ascii_uppercase)

Agency = tuple[str, ...]
Procedure = tuple[str, Agency | None]


def is_digits(group: str, *lengths: int) -> bool:
    return len(group) in lengths and set(group) <= DIGITS


def is_first_level(group: str) -> bool:
    return group[:1] in CAPITALS and is_digits(group[1:], 2)


def holds_long_number(groups: list[str]) -> bool:
    """Return whether some groups in a row have twelve digits together, no longer a run of them."""
    lengths = [len(group) for group in groups]
    ends = range(1, len(groups) + 1)
    return any(sum(lengths[start:end]) == 12 for end in ends for start in range(end))


def levels_of(code: str) -> Agency | None:
    """Return the levels of an agency, the highest first; None for a text that is no agency."""
    groups = code.split(".")
    if len(groups) == 4 and is_first_level(groups[3]):
        if not all(
            is_digits(group, width) for group, width in zip(groups, (3, 2, 2), strict=False)
        ):
            return None
        levels = [groups[3], groups[2], groups[1], groups[0]]
        while levels[-1] in {"00", "000"}:
            levels.pop()
        return tuple(levels)
    if not is_first_level(groups[0]) or len(code) > 35:
        return None
    below = groups[1:]
    if len(below) > MAX_LEVELS_BELOW or not all(is_digits(group, 1, 2, 3) for group in below):
        return None
    return None if holds_long_number(below) else tuple(groups)


def procedure_of(code: str) -> Procedure | None:
    """Return the national code and the agency of a procedure; None for another text."""
    field, dot, rest = code.partition(".")
    number, localised, agency = rest.partition(".")
    if not dot or field not in {"1", "2", "3"} or not is_digits(number, 6):
        return None
    if not localised:
        return f"{field}.{number}", None
    levels = levels_of(agency)
    return None if levels is None else (f"{field}.{number}", levels)


def draw_agency(chance: random.Random) -> str:
    first = chance.choice(["H26", "H29", "G18"])
    if chance.random() < 0.4:
        widths = [3, 2, 2]
        groups = [chance.choice(["0", "0", "1", "4"]).zfill(width) for width in widths]
        return ".".join([*groups, first])
    depth = chance.choice([0, 1, 1, 2, 2, 3, 4, 8])
    groups = [chance.choice(["0", "1", "4", "01", "04", "00", "001", "101"]) for _ in range(depth)]
    return ".".join([first, *groups])


def draw_procedure(chance: random.Random) -> str:
    national = chance.choice(["1.001193", "2.000815"])
    return national if chance.random() < 0.3 else f"{national}.{draw_agency(chance)}"


def spoil(text: str, chance: random.Random) -> str:
    """Return the text with a sign more, a sign less, or another one in a place."""
    place = chance.randrange(len(text) + 1)
    sign: str = chance.choice(["", *"0123456789.HGx\n ２"])
    return text[:place] + sign + text[place + chance.randrange(2) :]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agency_is_a_code_in_the_two_written_forms_alone(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        text = draw_agency(chance)
        text = spoil(text, chance) if chance.random() < 0.7 else text
        assert is_agency_code(text) is (levels_of(text) is not None), repr(text)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_procedure_is_a_code_in_the_national_and_the_localised_form_alone(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        text = draw_procedure(chance)
        text = spoil(text, chance) if chance.random() < 0.7 else text
        try:
            is_code = bool(parse_procedure_code(text))
        except CodeError:
            is_code = False
        # Fields of 4 to 9, which the catalogue of 2026 holds, are read beside the published three.
        if text[:1] not in set("456789"):
            assert is_code is (procedure_of(text) is not None), repr(text)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_right_covers_an_agency_and_those_below_it(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        right, agency = draw_agency(chance), draw_agency(chance)
        above, levels = levels_of(right), levels_of(agency)
        if above is not None and levels is not None:
            covered = levels[: len(above)] == above
            assert is_within(agency, canonical_codes([right])) is covered, (right, agency)


@pytest.mark.parametrize("seed", [10, 11, 12])
def test_right_covers_a_procedure_or_all_localised_forms_of_a_national_one(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        right, procedure = draw_procedure(chance), draw_procedure(chance)
        limit, asked = procedure_of(right), procedure_of(procedure)
        if limit is not None and asked is not None:
            covered = limit == asked or (limit[1] is None and limit[0] == asked[0])
            found = not canonical_codes([right]).isdisjoint(list_covering_codes(procedure))
            assert found is covered, (right, procedure)


@pytest.mark.parametrize("seed", [13, 14])
def test_text_that_is_no_procedure_is_covered_by_itself_alone(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        text = spoil(draw_procedure(chance), chance)
        if procedure_of(text) is None and text[:1] not in set("456789"):
            assert list_covering_codes(text) == (text,)


@pytest.mark.parametrize("seed", [15, 16])
def test_older_form_names_the_same_agency_and_no_other(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(CASES):
        code = draw_agency(chance)
        levels = levels_of(code)
        if levels is not None and code[0] in CAPITALS:
            older = qcvn_agency_code(code)
            assert older is None or levels_of(older) == levels, code
