"""The parts of response bodies that several features share."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator

# Deadlines are computed in the time of the office; responses show all times in UTC.
Instant = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
