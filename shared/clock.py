"""The clock as a dependency, and the day of an instant in Viet Nam."""

from datetime import UTC, date, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends

VIET_NAM: Final = ZoneInfo("Asia/Ho_Chi_Minh")


def utc_now() -> datetime:
    return datetime.now(UTC)


async def now() -> datetime:
    return utc_now()


def day_in_viet_nam(moment: datetime) -> date:
    """Return the day of an instant at every agency of the country; a naive one is an error."""
    if moment.tzinfo is None:
        raise ValueError("an instant without a zone is on no day")
    return moment.astimezone(VIET_NAM).date()


Now = Annotated[datetime, Depends(now)]
