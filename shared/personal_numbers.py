"""Find a person's number in a text that is kept, published or logged, however it is written.

A personal number has twelve digits, that of an old identity card nine (domain facts §4.1). Neither
may stand in a code, a header or an event: a person is named there by a keyed hash alone.
"""

import re
from unicodedata import decimal, normalize

from pydantic import AfterValidator

from shared.events.codes import AGENCY_PATTERN, DOSSIER_PATTERN, PROCEDURE_PATTERN
from shared.folding import drop_invisible

LENGTHS = frozenset({9, 12})
MIN_LENGTH = min(LENGTHS)
FINDING = "holds nine or twelve digits, which may be a person's number"
ADVICE = f"{FINDING}: use a code of yours"

# Groups of digits with up to three signs between them; a letter parts two numbers.
_RUN = re.compile(r"[0-9]+(?:[\W_]{1,3}[0-9]+)*")
_GROUP = re.compile(r"(?P<glued>(?<=[^\W\d_]))?(?P<digits>[0-9]+)(?P<after>(?=[^\W\d_]))?")
# Published codes have digits of their own; the longest form is looked for first.
_CODE = re.compile(
    rf"(?<![0-9A-Za-z])(?:{DOSSIER_PATTERN}|{PROCEDURE_PATTERN}|{AGENCY_PATTERN})(?![0-9A-Za-z])"
)
# Random ids of programs: some hold nine digits in a row by chance.
_RANDOM_ID = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9a-f-]*[a-f])"
    r"(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9A-Za-z])",
    re.IGNORECASE,
)


def holds_personal_number(text: str) -> bool:
    """Return whether a number of nine or twelve digits stands in the text.

    Digits of every script count, in groups with up to three signs between them. Codes of dossiers,
    procedures and agencies do not count, nor do the random ids of programs (UUIDs, 32 hex digits).
    """
    # Nearly every text has too few digits, which is found out soonest.
    if sum(map(str.isdecimal, text)) < MIN_LENGTH:
        return False
    plain = _CODE.sub("x", _RANDOM_ID.sub("x", _with_ascii_digits(text)))
    return any(map(_is_number, _RUN.finditer(plain)))


def refuse_personal_number(text: str) -> str:
    """Return the text; raise ValueError, which does not repeat it, where a number stands in it."""
    if holds_personal_number(text):
        raise ValueError(ADVICE)
    return text


# Of each text that is kept or published and is not meant to hold a number.
NoPersonalNumber = AfterValidator(refuse_personal_number)


def _with_ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    visible = drop_invisible(normalize("NFKC", text))
    return "".join(str(decimal(char, char)) for char in visible)


def _is_number(run: re.Match[str]) -> bool:
    """Return whether neighbouring groups of the run have the digits of a number together.

    A group that touches a letter (`H26`) stands alone: it belongs to a word.
    """
    lengths: list[int] = []
    for group in _GROUP.finditer(run.string, run.start(), run.end()):
        length = len(group["digits"])
        if group["glued"] is not None or group["after"] is not None:
            if length in LENGTHS:
                return True
            lengths.clear()
            continue
        lengths.append(length)
        if any(sum(lengths[start:]) in LENGTHS for start in range(len(lengths))):
            return True
    return False
