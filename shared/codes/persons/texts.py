"""The kinds of text that people write into a request: one line, a name, several lines.

PostgreSQL takes no NUL, a log line has one line, and a form has no use for control characters. A
line or paragraph separator ends a line as well (Unicode §5.8).
"""

from collections.abc import Iterator
from typing import Annotated

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, Field, StringConstraints

from shared.codes.persons.folding import drop_invisible

_LINE_BREAKING = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_NOT_IN_TEXT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# Blanks are taken off at both ends: the White_Space of Unicode that a line or a text may hold.
_BLANKS_OF_LINE = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANKS_OF_TEXT = rf"\t\n\r\u2028\u2029{_BLANKS_OF_LINE}"
# Blocks that hold letters, without the characters in them that are never displayed, and without
# ordinal signs, modifier letters (an apostrophe among them) and the Arabic stretch.
_LETTERS = (
    r"[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u061b\u061d-\u063f\u0641-\u115e"
    r"\u1161-\u17b3\u17b6-\u180a\u1810-\u1fff\u2c00-\u2dff\u3005-\u3007\u3041-\u3163"
    r"\u3165-\ud7ff\uf900-\ufdff\ufe70-\ufefe\uff21-\uff3a\uff41-\uff5a\uff66-\uff9f]"
)


class _Text(GroupedMetadata):
    """A text of this form; the blanks at its ends count, as in JSON Schema, and are taken off."""

    def __init__(self, pattern: str, max_length: int, min_length: int = 1) -> None:
        self._form = StringConstraints(
            min_length=min_length, max_length=max_length, pattern=pattern
        )

    def __iter__(self) -> Iterator[object]:
        yield from self._form
        yield AfterValidator(_trim_blanks)


def _trim_blanks(text: str) -> str:
    return text.strip()


def single_line(max_length: int, *, min_length: int = 1) -> GroupedMetadata:
    """Return the constraint of one line of text, blanks at its ends taken off."""
    pattern = _build_trimmed_pattern(_LINE_BREAKING, _BLANKS_OF_LINE, min_length)
    return _Text(pattern, max_length, min_length)


def multi_line(max_length: int) -> GroupedMetadata:
    """Return the constraint of a text that may have line ends and tabs."""
    return _Text(_build_trimmed_pattern(_NOT_IN_TEXT, _BLANKS_OF_TEXT), max_length)


def name_line(max_length: int) -> GroupedMetadata:
    """Return the constraint of a name: one line that shows at least one letter."""
    return _Text(rf"^[^{_LINE_BREAKING}]*{_LETTERS}[^{_LINE_BREAKING}]*$", max_length)


def _build_trimmed_pattern(refused: str, blanks: str, min_length: int = 1) -> str:
    """Return the pattern of texts that have `min_length` characters without the blanks at the ends.

    The minimum length of JSON Schema would count those blanks.
    """
    visible = f"[^{refused}{blanks}]"
    if min_length == 1:
        return f"^[{blanks}]*{visible}[^{refused}]*$"
    return f"^[{blanks}]*{visible}[^{refused}]{{{min_length - 2},}}{visible}[{blanks}]*$"


ONE_LINE = Field(description="one line, without control characters")
SingleLineText = Annotated[str, single_line(200), ONE_LINE]
PersonName = Annotated[
    str,
    name_line(300),
    # It is kept as it is displayed: bidirectional and zero-width signs would hide another name.
    AfterValidator(drop_invisible),
    Field(description="one line that shows at least one letter"),
]
