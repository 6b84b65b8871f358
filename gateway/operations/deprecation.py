"""Write the headers of a deprecated operation (RFC 9745, RFC 8594, RFC 5829)."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime

from shared.codes.deprecation import Deprecation
from shared.codes.persons.personal_numbers import holds_personal_number

# The API pages mark the operation, and name its sunset and its successor.
_DOCUMENTATION = '</docs>; rel="deprecation"; type="text/html"'


def list_deprecation_headers(
    deprecation: Deprecation, parameters: Mapping[str, str]
) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of an answer; `parameters` are those of the path of the call."""
    links = [_DOCUMENTATION]
    path = deprecation.successor.partition(" ")[2].format(**parameters)
    # A mistaken path may name a person, and no header repeats that.
    if not holds_personal_number(path):
        links.insert(0, f'<{path}>; rel="successor-version"')
    return (
        (b"deprecation", b"@%d" % _compute_midnight(deprecation.since).timestamp()),
        (b"sunset", format_datetime(_compute_midnight(deprecation.sunset), usegmt=True).encode()),
        (b"link", ", ".join(links).encode()),
    )


def _compute_midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
