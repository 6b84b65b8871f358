"""Headers that only the gateway and the services exchange; no caller can send or read them.

Inward, X-Right carries the signed right of a call. Outward, X-Subject, X-Fields and X-Dossier say
for the access ledger whose data an answer gives, which members of it, and of which dossier.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from shared.codes.agency import CodeError
from shared.codes.dossier import parse_dossier_code

RIGHT_HEADER: Final = "X-Right"
SUBJECT_HEADER: Final = "X-Subject"
FIELDS_HEADER: Final = "X-Fields"
DOSSIER_HEADER: Final = "X-Dossier"
LEDGER_HEADERS: Final = frozenset(
    name.lower() for name in (SUBJECT_HEADER, FIELDS_HEADER, DOSSIER_HEADER)
)
# States that an answer gives data of no person, or no personal members; an absent header states
# nothing, and the gateway refuses such an answer.
NO_SUBJECT: Final = "-"

_PERSON_HASH = re.compile(rb"[0-9a-f]{64}")


class LedgerFacts(NamedTuple):
    """The facts that an answer states for its ledger record.

    `subjects` are keyed hashes of persons, None where the answer states no valid ones; `fields`
    are names of members; `dossier` is a dossier code, None without a valid one.
    """

    subjects: tuple[str, ...] | None
    fields: tuple[str, ...]
    dossier: str | None


def write_ledger_headers(
    subjects: Iterable[str | None], fields: Iterable[str] = (), *, dossier: str | None = None
) -> dict[str, str]:
    """Return the headers that name subjects, members and dossier; None among subjects is skipped.

    An organisation, or a citizen without a personal number, has no hash.
    """
    headers = {
        SUBJECT_HEADER: ",".join(filter(None, subjects)) or NO_SUBJECT,
        FIELDS_HEADER: ",".join(fields) or NO_SUBJECT,
    }
    return headers | {DOSSIER_HEADER: dossier} if dossier else headers


def read_ledger_headers(headers: Sequence[tuple[bytes, bytes]]) -> LedgerFacts:
    """Parse the headers of an answer, whose names are in lower case.

    A value that is not a keyed hash may be a personal number by mistake, so it is never recorded.
    A field name outside ASCII cannot be recorded, and invalidates the subjects too.
    """
    fields = split_list(headers, b"x-fields")
    subjects = _parse_subjects(headers) if all(map(bytes.isascii, fields)) else None
    names = tuple(field.decode("ascii", "replace") for field in fields)
    return LedgerFacts(subjects, names, _parse_dossier(headers))


def split_list(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the elements of a list header; several lines are one list (RFC 9110 §5.3)."""
    values = [value for key, value in headers if key == name]
    return [part.strip() for part in b",".join(values).split(b",") if part.strip()]


def _parse_subjects(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, ...] | None:
    parts = split_list(headers, b"x-subject")
    if parts == [NO_SUBJECT.encode()]:
        return ()
    is_hashed = all(map(_PERSON_HASH.fullmatch, parts))
    return tuple(part.decode() for part in parts) if parts and is_hashed else None


def _parse_dossier(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    value = next((value for name, value in headers if name == b"x-dossier"), None)
    try:
        code = value.decode("ascii") if value else ""
        return code if code and parse_dossier_code(code) else None
    except (UnicodeDecodeError, CodeError):
        return None
