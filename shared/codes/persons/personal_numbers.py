"""Find a person's number in a text that is kept, published or logged, however it is written.

A personal number has twelve digits, that of an old identity card nine (domain facts §4.1). Neither
may stand in a code, a header or an event: a person is named there by a keyed hash alone.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple
from unicodedata import decimal, normalize

from pydantic import AfterValidator

from shared.codes.agency import AGENCY_PATTERN, holds_number_in_groups
from shared.codes.dossier import DOSSIER_PATTERN
from shared.codes.persons.folding import drop_invisible
from shared.codes.procedure import PROCEDURE_PATTERN
from shared.texts.translatable import Translatable

LENGTHS = frozenset({9, 12})
MIN_LENGTH = min(LENGTHS)
FINDING = Translatable("holds nine or twelve digits, which may be a person's number")
ADVICE = Translatable("{finding}: use a code of yours", finding=FINDING)

# Letters between two groups, at most; more of them part two numbers.
_MAX_LETTERS = 3
_GROUP = re.compile(r"(?P<led>(?<=[^\W\d_]))?(?P<digits>[0-9]+)(?P<gap>[^0-9]*)")
# A number with letters between its groups differs from an id of a program by its province (001 to
# 096), its century (the 20th and 21st) and groups as people write them.
_WRITTEN = re.compile(r"0(?!00)[0-9]{2}[0-3][0-9]{8}")
_MIN_GROUP = 3
# Published codes have digits of their own; the longest form is looked for first. Digits that hang
# on a procedure code by signs alone may be the rest of a number, of which it is the begin.
_CODE = rf"(?:{DOSSIER_PATTERN}|{PROCEDURE_PATTERN}(?![^0-9A-Za-z\s]{{1,3}}[0-9])|{AGENCY_PATTERN})"
# Random ids of programs: some hold nine digits in a row by chance.
_UUID = (
    r"(?i:[0-9a-f]{8}(?P<dash>-?)[0-9a-f]{4}(?P=dash)[1-8][0-9a-f]{3}(?P=dash)[89ab][0-9a-f]{3}"
    r"(?P=dash)[0-9a-f]{12})"
)
# Those of spans (16), objects (24), MD5 (32), SHA-1 (40) and SHA-256 (64).
_HEX_ID = (
    r"(?i:(?=[0-9]*[a-f])[0-9a-f]{16}(?:[0-9a-f]{8}(?:[0-9a-f]{8}"
    r"(?:[0-9a-f]{8}(?:[0-9a-f]{24})?)?)?)?)"
)
# Twelve digits within such an id are a person's where they begin with one of the 63 prefixes of
# provinces and a year of birth from 1900 to 2029: chance makes fewer than 1 in 1,000 ids so.
_WRITTEN_IN_HEX = re.compile(
    r"(?<![0-9])0(?:0[12468]|1[0124579]|2[024-7]|3[013-8]|4[024-689]|5[12468]|6[024678]|7[024579]"
    r"|8[0234679]|9[1-6])(?:[01][0-9]|[23][0-2])[0-9]{7}(?![0-9])"
)
_INSTANT = (
    r"(?<![0-9])(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]"
    r"(?::[0-5][0-9](?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?(?![0-9])"
)
_FORM = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?P<uuid>{_UUID})|(?P<hex_id>{_HEX_ID})|(?P<code>{_CODE}))"
    rf"(?![0-9A-Za-z])|(?P<instant>{_INSTANT})"
)
_ASCII_DIGITS = b"0123456789"


def holds_personal_number(text: str) -> bool:
    """Return whether a number of nine or twelve digits stands in the text.

    Digits of every script count, in groups with any signs between them. Up to three letters may
    stand there too, where the groups have three digits or more and the whole can be a person's.
    Codes of dossiers, procedures and agencies do not count, nor do instants and ids of programs,
    unless digits beside them make up a number together with theirs.
    """
    # Nearly every text has too few digits, which is found out soonest.
    if len(text) < MIN_LENGTH or _count_digits(text) < MIN_LENGTH:
        return False
    plain = _with_ascii_digits(text)
    forms = [match.span() for match in _FORM.finditer(plain) if _is_published(match)]
    beside = _drop_forms(plain, forms)
    if any(map(_is_number, _list_runs(beside))):
        return True
    # Most texts with a form have no further digits.
    if not forms or not _count_digits(beside):
        return False
    return any(map(_is_number, _list_runs(plain, forms)))


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


def _is_published(form: re.Match[str]) -> bool:
    """Return whether nobody wrote a number into the form: no agency has such a code."""
    if form.lastgroup == "code":
        return not holds_number_in_groups(form[0])
    return form["hex_id"] is None or not _WRITTEN_IN_HEX.search(form[0])


def _drop_forms(text: str, forms: Sequence[tuple[int, int]]) -> str:
    ends = [0, *(end for _, end in forms)]
    begins = [*(begin for begin, _ in forms), len(text)]
    return "x".join(text[end:begin] for end, begin in zip(ends, begins, strict=True))


def _is_written(digits: str) -> bool:
    return _WRITTEN.fullmatch(digits) is not None and digits < "097"


class _Group(NamedTuple):
    """Digits of a run; `led` and `followed` say that a letter touches them, before and after."""

    digits: str
    led: bool
    followed: bool
    in_form: bool


def _list_runs(text: str, forms: Sequence[tuple[int, int]] = ()) -> Iterator[list[_Group]]:
    """Yield neighbouring groups of digits between which stand at most three letters."""
    run: list[_Group] = []
    ahead = deque(forms)
    for match in _GROUP.finditer(text):
        while ahead and ahead[0][1] <= match.start():
            ahead.popleft()
        in_form = bool(ahead) and ahead[0][0] <= match.start()
        gap = match["gap"]
        run.append(_Group(match["digits"], match["led"] is not None, gap[:1].isalpha(), in_form))
        if sum(map(str.isalpha, gap)) > _MAX_LETTERS:
            yield run
            run = []
    yield run


def _is_number(run: Sequence[_Group]) -> bool:
    """Return whether neighbouring groups of the run have the digits of a number together."""
    if all(group.in_form for group in run):
        return False
    return any(map(partial(_begins_number, run), range(len(run))))


def _begins_number(run: Sequence[_Group], start: int) -> bool:
    length = 0
    for end in range(start, len(run)):
        length += len(run[end].digits)
        if length > max(LENGTHS):
            return False
        if length in LENGTHS and _is_number_of(run[start : end + 1]):
            return True
    return False


def _is_number_of(groups: Sequence[_Group]) -> bool:
    if all(group.in_form for group in groups):
        return False
    # Digits beside a form are more often a count or a year than the rest of a number.
    if any(group.led or group.followed or group.in_form for group in groups):
        return len(groups) == 1 or _is_grouped(groups)
    return True


def _is_grouped(groups: Sequence[_Group]) -> bool:
    """Judge groups that letters or forms touch: an id of a program has such too."""
    if min(len(group.digits) for group in groups) < _MIN_GROUP:
        return False
    digits = "".join(group.digits for group in groups)
    if len(digits) == max(LENGTHS):
        return _is_written(digits)
    return len(groups) == len(digits) // _MIN_GROUP
