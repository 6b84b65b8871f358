"""Which days and instants can be meant."""

from datetime import UTC, date, datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from shared.reading import DayText, InstantText

FIRST_DAY: Final = date(1945, 9, 2)
LAST_DAY: Final = date(2199, 12, 31)

Day = Annotated[
    date,
    Field(ge=FIRST_DAY, le=LAST_DAY, description=f"from {FIRST_DAY} to {LAST_DAY}"),
    DayText,
]
Instant = Annotated[
    AwareDatetime,
    Field(
        ge=datetime(1945, 9, 2, tzinfo=UTC),
        lt=datetime(2200, 1, 1, tzinfo=UTC),
        description="after 1945-09-02 and before the year 2200",
    ),
    InstantText,
]
