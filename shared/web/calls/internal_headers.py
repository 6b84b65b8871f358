"""The names of the headers that explain, assert, prove and record a call, and their forms.

Only the gateway and the services exchange most of them; no caller can send or read these. Inward,
X-Right carries the signed right of a call, beside the caller and its explanation. Outward,
X-Subject, X-Fields and X-Dossier say for the access ledger whose data an answer gives, which
members of it, and of which dossier.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from shared.codes.agency import CodeError
from shared.codes.dossier import parse_dossier_code

RIGHT_HEADER: Final = "X-Right"
CLIENT_HEADER: Final = "X-Client"
AGENCY_HEADER: Final = "X-Agency"
PURPOSE_HEADER: Final = "X-Purpose"
OFFICER_HEADER: Final = "X-Officer"
DOSSIER_HEADER: Final = "X-Dossier"
CALL_MAC_HEADER: Final = "X-Call-Mac"
# The length that the caller announced for a body that is forwarded in chunks.
BODY_LENGTH_HEADER: Final = "X-Body-Length"
CLIENT_PROOF_HEADER: Final = "X-Client-Proof"
SUBJECT_HEADER: Final = "X-Subject"
FIELDS_HEADER: Final = "X-Fields"
RECEIPT_HEADER: Final = "X-Ledger-Receipt"
REQUEST_ID_HEADER: Final = "X-Request-Id"
TRACE_ID_HEADER: Final = "X-Trace-Id"
EXPLAINING_HEADERS: Final = (PURPOSE_HEADER, OFFICER_HEADER, DOSSIER_HEADER)
LEDGER_HEADERS: Final = frozenset(
    name.lower() for name in (SUBJECT_HEADER, FIELDS_HEADER, DOSSIER_HEADER)
)


def encode_names(*names: str) -> tuple[bytes, ...]:
    """Return the names as a server hands them over, in lower case."""
    return tuple(name.lower().encode() for name in names)


# The gateway alone may send these to a service.
CALL_HEADERS: Final = frozenset(
    encode_names(
        RIGHT_HEADER,
        CLIENT_HEADER,
        AGENCY_HEADER,
        CALL_MAC_HEADER,
        BODY_LENGTH_HEADER,
        *EXPLAINING_HEADERS,
    )
)
# States that an answer gives data of no person, or no personal members; an absent header states
# nothing, and the gateway refuses such an answer.
NO_SUBJECT: Final = "-"

_RIGHT, _CLIENT, _AGENCY = encode_names(RIGHT_HEADER, CLIENT_HEADER, AGENCY_HEADER)
_EXPLAINING = encode_names(*EXPLAINING_HEADERS)
_SUBJECT, _FIELDS, _DOSSIER = encode_names(SUBJECT_HEADER, FIELDS_HEADER, DOSSIER_HEADER)
_PERSON_HASH = re.compile(rb"[0-9a-f]{64}")

RawHeader = tuple[bytes, bytes]


class CallExplanation(NamedTuple):
    """The values by which a caller explains a call, None where a header is absent."""

    purpose: str | None
    officer: str | None
    dossier: str | None


class LedgerFacts(NamedTuple):
    """The facts that an answer states for its ledger record.

    `subjects` are keyed hashes of persons, None where the answer states no valid ones; `fields`
    are names of members; `dossier` is a dossier code, None without a valid one.
    """

    subjects: tuple[str, ...] | None
    fields: tuple[str, ...]
    dossier: str | None


def write_call_headers(
    right: str, explanation: CallExplanation, *, client: str, agency: str
) -> list[RawHeader]:
    """Return the headers of an admitted call; `right` is the signed assertion.

    The values of the explanation are those of the record, so that the service reads the same.
    """
    headers = [(_RIGHT, right), (_CLIENT, client), (_AGENCY, agency)]
    headers += [
        (name, value) for name, value in zip(_EXPLAINING, explanation, strict=True) if value
    ]
    return [(name, value.encode()) for name, value in headers]


def read_call_explanation(headers: Mapping[str, str]) -> CallExplanation:
    return CallExplanation(
        _decode_value(headers.get(PURPOSE_HEADER)),
        _decode_value(headers.get(OFFICER_HEADER)),
        _decode_value(headers.get(DOSSIER_HEADER)),
    )


def _decode_value(value: str | None) -> str | None:
    """Decode a value as UTF-8, as the gateway does; the framework decodes Latin-1."""
    return value and value.encode("latin-1").decode(errors="replace")


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


def read_ledger_headers(headers: Sequence[RawHeader]) -> LedgerFacts:
    """Parse the headers of an answer, whose names are in lower case.

    A value that is not a keyed hash may be a personal number by mistake, so it is never recorded.
    A field name outside ASCII cannot be recorded, and invalidates the subjects too.
    """
    fields = split_list(headers, _FIELDS)
    subjects = _parse_subjects(headers) if all(map(bytes.isascii, fields)) else None
    names = tuple(field.decode("ascii", "replace") for field in fields)
    return LedgerFacts(subjects, names, _parse_dossier(headers))


def split_list(headers: Iterable[RawHeader], name: bytes) -> list[bytes]:
    """Return the elements of a list header; several lines are one list (RFC 9110 §5.3)."""
    values = [value for key, value in headers if key == name]
    return [part.strip() for part in b",".join(values).split(b",") if part.strip()]


def _parse_subjects(headers: Iterable[RawHeader]) -> tuple[str, ...] | None:
    parts = split_list(headers, _SUBJECT)
    if parts == [NO_SUBJECT.encode()]:
        return ()
    is_hashed = all(map(_PERSON_HASH.fullmatch, parts))
    return tuple(part.decode() for part in parts) if parts and is_hashed else None


def _parse_dossier(headers: Iterable[RawHeader]) -> str | None:
    value = next((value for name, value in headers if name == _DOSSIER), None)
    try:
        code = value.decode("ascii") if value else ""
        return code if code and parse_dossier_code(code) else None
    except (UnicodeDecodeError, CodeError):
        return None
