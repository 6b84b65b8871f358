"""Find a person's number in a text that is kept, published or logged, however it is written.

A personal number has twelve digits, that of an old identity card nine (domain facts §4.1). Neither
may stand in a code, a header or an event: a person is named there by a keyed hash alone.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple
from unicodedata import decimal, normalize

from pydantic import AfterValidator

from shared.events.codes import (
    AGENCY_PATTERN,
    DOSSIER_PATTERN,
    PROCEDURE_PATTERN,
    holds_number_in_groups,
)
from shared.folding import drop_invisible

LENGTHS = frozenset({9, 12})
MIN_LENGTH = min(LENGTHS)
FINDING = "holds nine or twelve digits, which may be a person's number"
ADVICE = f"{FINDING}: use a code of yours"

# Letters between two groups, at most; more of them part two numbers.
_MAX_LETTERS = 3
_GROUP = re.compile(r"(?P<led>(?<=[^\W\d_]))?(?P<digits>[0-9]+)(?P<gap>[^0-9]*)")
# A number that was parted with letters is told from an id of a program by its province (001 to
# 096), its century (the 20th and 21st) and groups as people write them.
_WRITTEN = re.compile(r"0(?!00)[0-9]{2}[0-3][0-9]{8}")
_MIN_GROUP = 3
# Published codes have digits of their own; the longest form is looked for first.
_CODE = re.compile(
    rf"(?<![0-9A-Za-z])(?:{DOSSIER_PATTERN}|{PROCEDURE_PATTERN}|{AGENCY_PATTERN})(?![0-9A-Za-z])"
)
# Random ids of programs: some hold nine digits in a row by chance.
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[1-8][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1"
    r"[0-9a-f]{12}(?![0-9A-Za-z])",
    re.IGNORECASE,
)
# Those of spans (16), objects (24), MD5 (32), SHA-1 (40) and SHA-256 (64).
_HEX_ID = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])[0-9a-f]{16}(?:[0-9a-f]{8}(?:[0-9a-f]{8}"
    r"(?:[0-9a-f]{8}(?:[0-9a-f]{24})?)?)?)?(?![0-9A-Za-z])",
    re.IGNORECASE,
)
# Twelve digits within such an id are a person's where they begin with one of the 63 prefixes of
# provinces and a year of birth from 1900 to 2029: chance makes fewer than 1 in 1,000 ids so.
_WRITTEN_IN_HEX = re.compile(
    r"(?<![0-9])0(?:0[12468]|1[0124579]|2[024-7]|3[013-8]|4[024-689]|5[12468]|6[024678]|7[024579]"
    r"|8[0234679]|9[1-6])(?:[01][0-9]|[23][0-2])[0-9]{7}(?![0-9])"
)
_INSTANT = re.compile(
    r"(?<![0-9])(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]"
    r"(?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?(?![0-9])"
)
_ASCII_DIGITS = b"0123456789"


def holds_personal_number(text: str) -> bool:
    """Return whether a number of nine or twelve digits stands in the text.

    Digits of every script count, in groups with any signs between them. Up to three letters may
    stand there too, where the groups have three digits or more and the whole can be a person's.
    Codes of dossiers, procedures and agencies do not count, nor do instants and UUIDs.
    """
    # Nearly every text has too few digits, which is found out soonest.
    if len(text) < MIN_LENGTH or _count_digits(text) < MIN_LENGTH:
        return False
    plain = _UUID.sub("x", _with_ascii_digits(text))
    plain = _CODE.sub(_drop_code, _INSTANT.sub("x", _HEX_ID.sub(_drop_hex_id, plain)))
    return any(map(_is_number, _runs(plain)))


def refuse_personal_number(text: str) -> str:
    """Return the text; raise ValueError, which does not repeat it, where a number stands in it."""
    if holds_personal_number(text):
        raise ValueError(ADVICE)
    return text


# Of each text that is kept or published and is not meant to hold a number.
NoPersonalNumber = AfterValidator(refuse_personal_number)


def _count_digits(text: str) -> int:
    if text.isascii():
        return len(text) - len(text.encode().translate(None, _ASCII_DIGITS))
    return sum(map(str.isdecimal, text))


def _with_ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    visible = drop_invisible(normalize("NFKC", text))
    return "".join(str(decimal(char, char)) for char in visible)


def _drop_code(code: re.Match[str]) -> str:
    """Keep a code whose groups have the digits of a number: no agency has such a code."""
    return code[0] if holds_number_in_groups(code[0]) else "x"


def _drop_hex_id(hex_id: re.Match[str]) -> str:
    """Keep an id in which a number was written down."""
    return hex_id[0] if _WRITTEN_IN_HEX.search(hex_id[0]) else "x"


def _is_written(digits: str) -> bool:
    return _WRITTEN.fullmatch(digits) is not None and digits < "097"


class _Group(NamedTuple):
    """Digits of a run; `led` and `followed` say that a letter touches them, before and after."""

    digits: str
    led: bool
    followed: bool


def _runs(text: str) -> Iterator[list[_Group]]:
    """Yield neighbouring groups of digits between which stand at most three letters."""
    run: list[_Group] = []
    for found in _GROUP.finditer(text):
        gap = found["gap"]
        run.append(_Group(found["digits"], found["led"] is not None, gap[:1].isalpha()))
        if sum(map(str.isalpha, gap)) > _MAX_LETTERS:
            yield run
            run = []
    yield run


def _is_number(run: Sequence[_Group]) -> bool:
    """Return whether neighbouring groups of the run have the digits of a number together."""
    return any(map(partial(_begins_number, run), range(len(run))))


def _begins_number(run: Sequence[_Group], start: int) -> bool:
    digits, smallest, has_letters = "", max(LENGTHS), False
    for end in range(start, len(run)):
        group = run[end]
        has_letters = has_letters or group.led or group.followed
        digits, smallest = digits + group.digits, min(smallest, len(group.digits))
        if len(digits) > max(LENGTHS):
            return False
        if len(digits) in LENGTHS and (
            end == start
            or not has_letters
            or _is_written_in_groups(digits, smallest, end - start + 1)
        ):
            return True
    return False


def _is_written_in_groups(digits: str, smallest: int, groups: int) -> bool:
    """Judge groups that letters touch: an id of a program has such too."""
    if smallest < _MIN_GROUP:
        return False
    return _is_written(digits) if len(digits) == max(LENGTHS) else groups == len(digits) // 3
