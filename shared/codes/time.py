"""Days and instants of requests, in the form of RFC 3339 and of years that every store can hold.

The patterns say in JSON Schema exactly which days exist; a test compares them with the parser.
"""

import re
import time as clock
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from annotated_types import GroupedMetadata
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Strict, WithJsonSchema

from shared.texts.translatable import Translatable

# Every living person was born after the first day. The last day leaves room for arithmetic.
FIRST_DAY: Final = date(1850, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
# In UTC an instant may lie up to a day outside these days, because of its offset.
_BEGIN = datetime(1849, 12, 31, tzinfo=UTC)
_END = datetime(2200, 1, 2, tzinfo=UTC)

YEAR_PATTERN: Final = "(?:18[5-9][0-9]|19[0-9]{2}|2[01][0-9]{2})"
# Matches the last two digits of the leap years from 2000 to 2099.
LEAP_OF_2000: Final = "(?:[02468][048]|[13579][26])"
LEAP_YEAR_PATTERN: Final = (
    "(?:18(?:5[26]|[68][048]|[79][26])|(?:19|21)(?:0[48]|[2468][048]|[13579][26])"
    f"|20{LEAP_OF_2000})"
)


def build_day_pattern(year: str, leap_year: str, *, dash: str) -> str:
    """Return the pattern of the days of these years, with `dash` between year, month and day."""
    return (
        f"(?:{year}{dash}(?:(?:0[13578]|1[02]){dash}(?:0[1-9]|[12][0-9]|3[01])"
        f"|(?:0[469]|11){dash}(?:0[1-9]|[12][0-9]|30)|02{dash}(?:0[1-9]|1[0-9]|2[0-8]))"
        f"|{leap_year}{dash}02{dash}29)"
    )


DAY_PATTERN: Final = build_day_pattern(YEAR_PATTERN, LEAP_YEAR_PATTERN, dash="-")
_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
# RFC 3339 §5.6, which the format `date-time` means; a leap second has no place in a store.
_TIME = rf"[Tt]{_HOUR}:{_SIXTY}:{_SIXTY}(?:\.[0-9]{{1,9}})?"
_ZONE = f"(?:[Zz]|[+-]{_HOUR}:{_SIXTY})"

_DAY_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT_FORM = re.compile(f"{_DAY_FORM.pattern}{_TIME}{_ZONE}")


def _require_day_form(value: object) -> object:
    """Refuse a number, which would else be read as seconds or milliseconds."""
    if isinstance(value, str) and not _DAY_FORM.fullmatch(value):
        raise ValueError(Translatable("write yyyy-mm-dd"))
    if not isinstance(value, str | date):
        raise ValueError(Translatable("a day is text, yyyy-mm-dd"))  # noqa: TRY004 -- pydantic reports ValueError
    return value


def _require_instant_form(value: object) -> object:
    if isinstance(value, str) and not _INSTANT_FORM.fullmatch(value):
        raise ValueError(Translatable("write an instant as 2026-11-02T09:00:00+07:00"))
    if not isinstance(value, str | datetime):
        raise ValueError(Translatable("an instant is text"))  # noqa: TRY004 -- pydantic reports ValueError
    return value


def _require_known_day(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(
            Translatable(
                "a day lies between {first_day} and {last_day}",
                first_day=FIRST_DAY,
                last_day=LAST_DAY,
            )
        )
    return day


def _require_known_instant(instant: datetime) -> datetime:
    """Compare the day as written, because the published pattern cannot consider the offset."""
    if not FIRST_DAY <= instant.date() <= LAST_DAY:
        raise ValueError(
            Translatable(
                "an instant is written with a day between {first_day} and {last_day}",
                first_day=FIRST_DAY,
                last_day=LAST_DAY,
            )
        )
    return instant


def _require_kept_instant(instant: datetime) -> datetime:
    if not _BEGIN <= instant < _END:
        raise ValueError(Translatable("no instant of a request lies so far away"))
    return instant


class _TextualType(GroupedMetadata):
    """A type that JSON lacks, so it is parsed from text in strict models too."""

    def __init__(self, *steps: object) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[object]:
        yield Strict(strict=False)
        yield from self._steps


def _declare_textual_type(
    form: Callable[[object], object], known: object, kind: str, pattern: str, **words: object
) -> _TextualType:
    schema = {"type": "string", "format": kind, "pattern": f"^{pattern}$", **words}
    return _TextualType(BeforeValidator(form), known, WithJsonSchema(schema))


IsoDay = Annotated[
    date,
    _declare_textual_type(
        _require_day_form,
        AfterValidator(_require_known_day),
        "date",
        DAY_PATTERN,
        description=f"a day from {FIRST_DAY} to {LAST_DAY}, yyyy-mm-dd",
        examples=["2026-11-02"],
    ),
]
IsoInstant = Annotated[
    AwareDatetime,
    _declare_textual_type(
        _require_instant_form,
        AfterValidator(_require_known_instant),
        "date-time",
        f"{DAY_PATTERN}{_TIME}{_ZONE}",
        description=f"an instant from {FIRST_DAY} to {LAST_DAY}, with its zone",
        examples=["2026-11-02T09:00:00+07:00"],
    ),
]
# An IsoInstant in UTC, as it is stored and comes back in a cursor.
StoredInstant = Annotated[
    AwareDatetime,
    Strict(strict=False),
    BeforeValidator(_require_instant_form),
    AfterValidator(_require_kept_instant),
]


VIET_NAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")


def utc_now() -> datetime:
    return datetime.now(UTC)


def unix_now() -> float:
    """Return the Unix seconds of `utc_now`, at less cost for each call of the gateway."""
    return clock.time()


def day_in_viet_nam(moment: datetime) -> date:
    """Return the day of an aware instant in Viet Nam; raise ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(Translatable("an instant without a zone is on no day"))
    return moment.astimezone(VIET_NAM).date()


def start_of_day_in_viet_nam(day: date) -> datetime:
    return datetime.combine(day, time(), VIET_NAM)
