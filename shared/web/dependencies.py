"""The parameters that every route may ask for: the clock and the transaction."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends

from shared.codes.time import utc_now


async def now() -> datetime:
    return utc_now()


Now = Annotated[datetime, Depends(now)]
